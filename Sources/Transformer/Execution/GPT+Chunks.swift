import Compute

/// The sequences that one call computes, (B, T).
struct MicroBatch {
    let tokens, targets: [Int32]
    let length: Int
    let dropout: DropoutKey?
    let boundaries: DocumentBoundaries?

    init(
        _ tokens: [Int32],
        _ targets: [Int32],
        length: Int,
        dropout: DropoutKey? = nil,
        boundaries: DocumentBoundaries? = nil
    ) {
        precondition(tokens.count == targets.count && tokens.count % length == 0, "whole sequences")
        (self.tokens, self.targets, self.length) = (tokens, targets, length)
        (self.dropout, self.boundaries) = (dropout, boundaries)
    }

    /// B.
    var sequences: Int { tokens.count / length }
}

extension GPT {
    /// Rows of a chunk, unless one sequence has more: products are near their peak on that many, and activations of a small
    /// model still fit the last-level cache.
    static let chunkRows = 1024

    /// Sequences of `length` tokens that pass at once, of a micro-batch of `batch`: as many as make 1024 rows, evenly.
    public static func chunkSequences(batch: Int, length: Int) -> Int {
        let most = max(1, chunkRows / length)
        let chunks = (batch + most - 1) / most
        return (batch + chunks - 1) / chunks
    }

    /// The sum of what `body` returns for each chunk of a micro-batch.
    func sumOverChunks(
        of batch: MicroBatch,
        for purpose: Arena.Purpose,
        _ body: (_ pass: Pass, _ isLast: Bool) -> Double
    ) -> Double {
        precondition(
            batch.length >= 1 && batch.length <= configuration.blockSize,
            "sequences of \(batch.length) tokens, of a model whose block size is \(configuration.blockSize)"
        )
        checkIDs(batch.tokens)
        checkIDs(batch.targets)
        guard batch.sequences > 0 else { return 0 }
        let arena = arena(
            layers.arenaShape(
                sequences: batch.sequences,
                length: batch.length,
                workers: pool.threadCount,
                context.products,
                for: purpose
            )
        )
        let size = Self.chunkSequences(batch: batch.sequences, length: batch.length)
        var sum = 0.0
        batch.tokens.withUnsafeBufferPointer { tokens in
            batch.targets.withUnsafeBufferPointer { targets in
                for range in tiles(of: batch.sequences, size: size) {
                    let first = range.lowerBound * batch.length
                    let (tokens, targets) = (tokens.baseAddress! + first, targets.baseAddress! + first)
                    let pass = pass(batch, range, tokens, targets, arena, isTraining: purpose == .training)
                    if range.lowerBound == 0 { pass.packAll() }
                    sum += body(pass, range.upperBound == batch.sequences)
                }
            }
        }
        return sum
    }

    /// An id beyond the vocabulary would reach memory beyond the embedding.
    func checkIDs(_ ids: [Int32]) {
        let wrong = ids.first { $0 < 0 || Int($0) >= configuration.vocabularySize }
        precondition(wrong == nil, "token id \(wrong ?? 0), of a vocabulary of \(configuration.vocabularySize)")
    }

    private func pass(
        _ batch: MicroBatch,
        _ range: Range<Int>,
        _ tokens: UnsafePointer<Int32>,
        _ targets: UnsafePointer<Int32>,
        _ arena: Arena,
        isTraining: Bool
    ) -> Pass {
        var key = batch.dropout
        key?.firstSequence += range.lowerBound
        return Pass(
            self,
            arena,
            tokens: tokens,
            targets: targets,
            sequences: range.count,
            length: batch.length,
            isTraining: isTraining,
            dropout: Dropout(probability: configuration.dropout, key: key),
            documents: batch.boundaries.map { boundaries in
                (0..<range.count).map { boundaries.documents(tokens + $0 * batch.length, length: batch.length) }
            }
        )
    }

    /// The arena of the last pass if it serves, else a new one.
    private func arena(_ shape: Arena.Shape) -> Arena {
        if let arena, arena.shape.fits(shape) { return arena }
        arena = nil
        let new = Arena(layers.declarations.slots, shape)
        arena = new
        return new
    }
}

extension GPTLayers {
    /// Up to this many floats of packed weights are kept (128 MiB): 2 % of a step of `char`, which has 16 chunks.
    private static let maximumPackedCount = 1 << 25

    /// The memory for micro-batches of this shape, of which one chunk passes at a time.
    func arenaShape(
        sequences: Int,
        length: Int,
        workers: Int,
        _ products: MatrixProducts,
        for purpose: Arena.Purpose
    ) -> Arena.Shape {
        let chunk = GPT.chunkSequences(batch: sequences, length: length)
        let packed = declarations.tensors.reduce(0) { $0 + ($1.role == .matrix ? 2 * $1.range.count : 0) }
        return Arena.Shape(
            rows: chunk * length,
            length: length,
            workers: workers,
            // In generation all rows are one tile, which workers share.
            tileRows: purpose == .generation
                ? chunk * length : largestRowTile(of: chunk * length, workers: workers, products),
            purpose: purpose,
            keepsPacked: products.implementation == .own && chunk < sequences && packed <= Self.maximumPackedCount,
            products: products
        )
    }
}
