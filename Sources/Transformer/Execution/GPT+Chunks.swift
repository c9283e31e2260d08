import Compute

/// The sequences (B, T) of one call.
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
        precondition(
            tokens.count == targets.count && tokens.count % length == 0,
            "tokens and targets must be whole sequences of \(length) tokens"
        )
        (self.tokens, self.targets, self.length) = (tokens, targets, length)
        (self.dropout, self.boundaries) = (dropout, boundaries)
    }

    /// B, the number of sequences.
    var sequences: Int { tokens.count / length }
}

extension GPT {
    /// The number of rows in a chunk, unless one sequence is longer. Products with this many rows run near their peak,
    /// and the activations of a small model still fit the last-level cache.
    static let chunkRows = 1024

    /// Returns the number of sequences in each chunk of a micro-batch of `batch` sequences of `length` tokens. A chunk
    /// has up to 1024 rows, and all chunks have about the same size.
    public static func chunkSequences(batch: Int, length: Int) -> Int {
        let most = max(1, chunkRows / length)
        let chunks = (batch + most - 1) / most
        return (batch + chunks - 1) / chunks
    }

    /// Returns the sum of the results of `body` for each chunk of a micro-batch.
    func sumOverChunks(
        of batch: MicroBatch,
        for purpose: Arena.Purpose,
        _ body: (_ pass: Pass, _ isLast: Bool) -> Double
    ) -> Double {
        precondition(
            batch.length >= 1 && batch.length <= configuration.blockSize,
            "sequences must have 1 to \(configuration.blockSize) tokens (the block size), not \(batch.length)"
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

    /// Checks token ids, because an id outside the vocabulary would address memory outside the embedding.
    func checkIDs(_ ids: [Int32]) {
        let wrong = ids.first { $0 < 0 || Int($0) >= configuration.vocabularySize }
        precondition(
            wrong == nil,
            "token id \(wrong ?? 0) is outside the vocabulary of \(configuration.vocabularySize)"
        )
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

    /// Returns the arena of the last pass if it fits, else a new one.
    private func arena(_ shape: Arena.Shape) -> Arena {
        if let arena, arena.shape.fits(shape) { return arena }
        arena = nil
        let new = Arena(layers.declarations.slots, shape)
        arena = new
        return new
    }
}

extension GPTLayers {
    /// The maximum number of floats of packed weights that are kept (128 MiB). Keeping them saves 2 % of a step of
    /// `char`, which has 16 chunks.
    private static let maximumPackedCount = 1 << 25

    /// Returns the arena's shape for micro-batches of this size, which are processed one chunk at a time.
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
            // In generation, all rows are one tile, which the workers share.
            tileRows: purpose == .generation
                ? chunk * length : largestRowTile(of: chunk * length, workers: workers, products),
            purpose: purpose,
            keepsPacked: products.implementation == .own && chunk < sequences && packed <= Self.maximumPackedCount,
            products: products
        )
    }
}
