import Datasets

/// The demo corpus as a stream, which generates the text while it is read.
final class DemoStream: ByteStream {
    let name = "the demo corpus"
    private var writer: CorpusWriter
    private var piece: [UInt8] = []
    private var rest: Int

    init(seed: UInt64, characters: Int) {
        writer = CorpusWriter(seed: seed)
        rest = characters
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(rest, buffer.count)
        writer.write(count, into: &piece)
        piece.withUnsafeBytes { buffer.copyMemory(from: $0) }
        rest -= count
        return count
    }
}
