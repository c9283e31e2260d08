import Compute

extension Tokenizer {
    /// Encodes a text in pieces, in parallel, and returns its ids. They equal the ids of the whole text.
    ///
    /// - Parameters:
    ///   - text: The bytes of the whole text.
    ///   - pool: The threads that encode the pieces.
    /// - Throws: `UserError(.data)` like `encode(_:into:)`. The byte offset in the message is relative to the piece.
    public func encode(_ text: UnsafeRawBufferPointer, pool: WorkerPool) throws -> [Int32] {
        let pieces = TextDivision.pieces(of: text, lastCut: lastCut)
        var results = [Result<[Int32], any Error>](repeating: .success([]), count: pieces.count)
        results.withUnsafeMutableBufferPointer { results in
            // Each task writes only its own result.
            nonisolated(unsafe) let results = results
            pool.run(pieces.count) { piece, _ in
                results[piece] = Result {
                    var ids: [Int32] = []
                    ids.reserveCapacity(pieces[piece].count / 3)
                    try encode(UnsafeRawBufferPointer(rebasing: text[pieces[piece]]), into: &ids)
                    return ids
                }
            }
        }
        let encoded = try results.map { try $0.get() }
        var starts = [0]
        for piece in encoded { starts.append(starts.last! + piece.count) }
        guard starts.last! > 0 else { return [] }
        // The workers copy in parallel too: with two threads, a serial copy would take a sixth of the total time.
        return [Int32](unsafeUninitializedCapacity: starts.last!) { ids, count in
            let base = ids.baseAddress
            pool.run(encoded.count) { piece, _ in
                encoded[piece].withUnsafeBufferPointer { part in
                    guard let source = part.baseAddress else { return }
                    (base! + starts[piece]).initialize(from: source, count: part.count)
                }
            }
            count = starts.last!
        }
    }
}

/// Divides text in memory into pieces for several workers.
enum TextDivision {
    /// In bytes. Encoding a piece of this size takes far longer than scheduling it.
    private static let pieceSize = 1 << 20

    /// Returns consecutive byte ranges of about 1 MiB that cover the text.
    ///
    /// - Parameter lastCut: Finds the last place to cut, like `Tokenizer.lastCut(in:)`.
    static func pieces(of text: UnsafeRawBufferPointer, lastCut: (UnsafeRawBufferPointer) -> Int) -> [Range<Int>] {
        var pieces: [Range<Int>] = []
        var start = 0
        var wanted = pieceSize
        while start < text.count {
            var end = min(start + wanted, text.count)
            if end < text.count {
                end = start + lastCut(UnsafeRawBufferPointer(rebasing: text[start..<end]))
                guard end > start else {
                    wanted *= 2
                    continue
                }
            }
            pieces.append(start..<end)
            start = end
            wanted = pieceSize
        }
        return pieces
    }
}
