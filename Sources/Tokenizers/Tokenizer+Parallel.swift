import Compute

extension Tokenizer {
    /// The ids of a text, its pieces encoded by the workers of a pool.
    ///
    /// - Throws: `UserError(.data)` as `encode`; the offset it names is one in a piece of the text.
    public func encode(_ text: UnsafeRawBufferPointer, pool: WorkerPool) throws -> [Int32] {
        let pieces = TextDivision.pieces(of: text, lastCut: lastCut)
        var results = [Result<[Int32], any Error>](repeating: .success([]), count: pieces.count)
        results.withUnsafeMutableBufferPointer { results in
            // Each task writes its own result only.
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
        // By the workers too: of what two of them need for the whole, one alone would take a sixth for this.
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

/// Divides text that is in memory for several workers.
enum TextDivision {
    /// Large enough that handing it out costs nothing beside encoding it.
    private static let pieceSize = 1 << 20

    /// The text in order, in pieces of about a megabyte.
    ///
    /// - Parameter lastCut: as `Tokenizer.lastCut(in:)`.
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
