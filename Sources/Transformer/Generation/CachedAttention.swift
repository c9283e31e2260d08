import Compute

/// Computes the attention of new tokens. The keys and values of earlier tokens come from a cache.
struct CachedAttention {
    let attention: Attention
    let layer: Int
    let cache: KeyValueCache
    let context: ComputeContext
    /// Scratch memory for all workers.
    let scratch: UnsafeMutablePointer<Float>

    /// The number of new tokens of one sequence whose attention is one task.
    private static let queryBlock = 64

    /// Returns the number of floats of scratch memory per worker.
    static func scratchCount(capacity: Int) -> Int { queryBlock * (capacity + 1) }

    private var shape: GPTConfiguration.Attention { attention.shape }

    /// Stores the new keys and values, then computes the attention of each head of each new token over all positions up
    /// to its own.
    ///
    /// - Parameters:
    ///   - pass: the pass of the new tokens.
    ///   - sequences: the cache's sequences to which the new tokens belong.
    func run(_ pass: Pass, sequences: Range<Int>) {
        let queries = tiles(of: pass.length, size: Self.queryBlock)
        let heads = pass.sequences * shape.headCount
        let groupSize = shape.headCount / shape.keyValueHeadCount
        if queries.count > 1 || groupSize > 1 {
            context.pool.run(pass.sequences * shape.keyValueHeadCount) { task, _ in
                let (sequence, head) = (task / shape.keyValueHeadCount, task % shape.keyValueHeadCount)
                store(pass, sequence, sequences.lowerBound + sequence, head)
            }
        }
        // Start with the longest tasks: later queries attend to more keys.
        context.pool.run(queries.count * heads) { task, worker in
            let (head, sequence) = (task % heads % shape.headCount, task % heads / shape.headCount)
            let cached = sequences.lowerBound + sequence
            if queries.count == 1, groupSize == 1 { store(pass, sequence, cached, head) }
            let memory = scratch + worker * Self.scratchCount(capacity: cache.capacity)
            attend(pass, sequence, cached, head, queries[queries.count - 1 - task / heads], memory)
        }
    }

    private func store(_ pass: Pass, _ sequence: Int, _ cached: Int, _ group: Int) {
        let size = shape.headSize
        let new = attention.view(
            pass.sequence(sequence)[attention.qkv],
            head: group * (shape.headCount / shape.keyValueHeadCount)
        )
        let keys = cache.keys(layer: layer, sequence: cached, head: group)
        let values = cache.values(layer: layer, sequence: cached, head: group)
        for row in 0..<pass.length {
            keys.row(pass.firstPosition + row).update(from: new.k.row(row), count: size)
            values.row(pass.firstPosition + row).update(from: new.v.row(row), count: size)
        }
    }

    /// Computes the outputs of one head for the new tokens `queries` of one sequence.
    private func attend(
        _ pass: Pass,
        _ sequence: Int,
        _ cached: Int,
        _ head: Int,
        _ queries: Range<Int>,
        _ memory: UnsafeMutablePointer<Float>
    ) {
        let mask = attention.head.mask
        let seen = pass.firstPosition + queries.upperBound
        let group = head / (shape.headCount / shape.keyValueHeadCount)
        let keys = cache.keys(layer: layer, sequence: cached, head: group).rows(0..<seen)
        let values = cache.values(layer: layer, sequence: cached, head: group).rows(0..<seen)
        let rows = pass.sequence(sequence)
        let q = attention.view(rows[attention.qkv], head: head).q.rows(queries)
        let columns = head * shape.headSize..<(head + 1) * shape.headSize
        let y = rows[attention.attended].rows(queries).columns(columns)
        let scores = MatrixView(memory, rows: queries.count, columns: seen)
        let scale = mask.scale(headSize: shape.headSize)
        let usesFewRows = queries.count <= FewRows.maximumRows
        if usesFewRows {
            FewRows.multiplyTransposed(q, keys, into: scores, scale: scale, context.kernels)
        } else {
            context.products.multiply(q, .plain, keys, .transposed, into: scores, scale: scale)
        }
        let first = pass.firstPosition + queries.lowerBound
        let place = ScorePlace(head: head, row: 0, query: first, firstWeights: 0, weightsLength: seen)
        mask.softmax(scores, logSumExp: memory + queries.count * seen, place, nil, context.kernels)
        if usesFewRows {
            FewRows.multiply(scores, values, into: y, context.kernels)
        } else {
            context.products.multiply(scores, .plain, values, .plain, into: y)
        }
    }
}
