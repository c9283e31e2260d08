import Compute
import Datasets
import Platform
import Tokenizers

/// Encodes the pieces of a batch on all workers: tokens as they stand in a file, in the order of the text.
struct BatchEncoder {
    /// What some neighbouring pieces became.
    struct Output {
        struct Piece {
            var tokens: Int
            var textBytes: Int
            /// Of a piece that starts a document.
            var split: Dataset.Split?
            var startsDocument: Bool
            var endsDocument: Bool
        }

        var pieces: [Piece] = []
        var bytes: [UInt8] = []
        var error: (any Error)?
    }

    /// Enough tasks for workers to share evenly, each long enough not to notice its start.
    private static let taskSize = 1 << 17

    let tokenizer: any Tokenizer
    let elementType: TokenFile.ElementType
    /// What follows each document.
    let documentEnd: [Int32]
    /// Nil where every piece has its split.
    let documentSplit: DocumentSplit?

    /// The pieces that each task has.
    static func tasks(of batch: TextBatch) -> [Range<Int>] {
        var tasks: [Range<Int>] = []
        var (start, size) = (0, 0)
        for (index, piece) in batch.pieces.enumerated() {
            size += piece.range.count
            if size >= taskSize || index == batch.pieces.count - 1 {
                tasks.append(start..<index + 1)
                (start, size) = (index + 1, 0)
            }
        }
        return tasks
    }

    /// - Parameter ids: room to work in.
    func encode(_ batch: TextBatch, _ range: Range<Int>, ids: inout [Int32]) -> Output {
        var output = Output()
        ids.removeAll(keepingCapacity: true)
        do {
            for piece in batch.pieces[range] {
                do {
                    try batch.withText(of: piece) { try encode($0, piece, ids: &ids, output: &output) }
                } catch let error as UserError {
                    // A tokenizer knows the piece alone.
                    throw UserError(error.kind, "\(piece.origin), from byte \(piece.offset): \(error.message)")
                }
            }
        } catch {
            output.error = error
        }
        output.bytes = elements(ids)
        return output
    }

    private func encode(
        _ text: UnsafeRawBufferPointer,
        _ piece: TextBatch.Piece,
        ids: inout [Int32],
        output: inout Output
    ) throws {
        let start = ids.count
        try tokenizer.encode(text, into: &ids)
        if piece.endsDocument { ids += documentEnd }
        output.pieces.append(
            .init(
                tokens: ids.count - start,
                textBytes: text.count,
                split: piece.split ?? (piece.startsDocument ? documentSplit?.split(of: text) : nil),
                startsDocument: piece.startsDocument,
                endsDocument: piece.endsDocument
            )
        )
    }

    private func elements(_ ids: [Int32]) -> [UInt8] {
        // Loops without other work, so that they become vector code.
        func convert<Element: FixedWidthInteger>(_ type: Element.Type) -> [UInt8] {
            // An array of capacity 0 is one object that all threads share, and its initializer writes to it.
            guard !ids.isEmpty else { return [] }
            let count = ids.count * MemoryLayout<Element>.size
            return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
                let elements = UnsafeMutableRawBufferPointer(buffer).bindMemory(to: Element.self)
                for index in 0..<ids.count { elements[index] = Element(truncatingIfNeeded: ids[index]).littleEndian }
                initialized = count
            }
        }
        return elementType == .uint16 ? convert(UInt16.self) : convert(UInt32.self)
    }
}
