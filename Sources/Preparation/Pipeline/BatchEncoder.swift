import Compute
import Datasets
import Platform
import Tokenizers

/// Encodes the pieces of a batch in tasks for the workers of a pool. The tokens have the format of the token file and
/// the order of the text.
struct BatchEncoder {
    /// The tokens of consecutive pieces.
    struct Output {
        struct Piece {
            var tokens: Int
            var textBytes: Int
            /// The split of the document, if the piece starts a document or its split was given; nil otherwise.
            var split: Dataset.Split?
            var startsDocument: Bool
            var endsDocument: Bool
        }

        var pieces: [Piece] = []
        var bytes: [UInt8] = []
        var error: (any Error)?
    }

    /// The minimum number of bytes per task: small enough to balance the load, large enough to outweigh the cost of a
    /// task.
    private static let taskSize = 1 << 17

    let tokenizer: any Tokenizer
    let elementType: TokenFile.ElementType
    /// The ids after each document.
    let documentEnd: [Int32]
    /// Assigns documents to splits; nil if every piece already has its split.
    let documentSplit: DocumentSplit?

    /// Returns the range of pieces of each task.
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

    /// - Parameter ids: A scratch array, which keeps its capacity from call to call.
    func encode(_ batch: TextBatch, _ range: Range<Int>, ids: inout [Int32]) -> Output {
        var output = Output()
        ids.removeAll(keepingCapacity: true)
        do {
            for piece in batch.pieces[range] {
                do {
                    try batch.withText(of: piece) { try encode($0, piece, ids: &ids, output: &output) }
                } catch let error as UserError {
                    // The offset in the tokenizer's error is relative to the piece.
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
        // A loop without other work, so that the compiler vectorizes it.
        func convert<Element: FixedWidthInteger>(_ type: Element.Type) -> [UInt8] {
            // All arrays of capacity 0 share one object, and the initializer below writes to it: a race between
            // threads.
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
