import CVectorKernels
import Compute

/// Causal self-attention with H heads of size D = C / H (Vaswani et al., 2017):
///
/// ```
/// [q k v] = x W_attn + b_attn                               (T, C) to (T, 3C); head h has columns h D ..< (h + 1) D of each
/// P = softmax(q kᵀ / sqrt(D)), row t over positions 0 ... t   (T, T) for each head
/// y = dropout(P) v                                          heads side by side, (T, C)
/// out = y W_proj + b_proj
/// ```
/// A head works through blocks of query rows. Block b sees only the keys up to its own last row, so nothing above the
/// diagonal's tiles is computed, and only (block, T) scores exist at a time. Forward keeps the log of each row's sum of
/// exponentials (as in FlashAttention, Dao et al., 2022); backward makes P again from it:
///
/// ```
/// dv += dropout(P)ᵀ dy      dP = dropout'(dy vᵀ)      dS = P * (dP - rowsum(dy * y)) / sqrt(D)
/// dq = dS k                 dk += dSᵀ q
/// ```
/// A sequence of several documents may keep attention within each of them (`DocumentBoundaries`). As documents are runs of rows, this
/// is the same computation for each by itself: the masked scores are never made, and one document is the plain case.
struct CausalSelfAttention {
    let attention: Linear
    let projection: Linear
    let headCount: Int
    /// What a query sees; the causal mask unless an experiment changes it.
    var pattern = AttentionPattern()
    /// Heads whose output is taken for zero; none but in experiments.
    var ablatedHeads: Set<Int> = []

    /// The distance between rows of scores: never a power of two, so that a column's elements do not share a cache set.
    private static func scoreStride(_ length: Int) -> Int { (length + 15) / 16 * 16 + 16 }

    /// Floats of scratch that one worker needs for sequences of this length.
    static func scratchCount(sequenceLength: Int, headSize: Int, pattern: AttentionPattern) -> Int {
        2 * pattern.queryBlock(sequenceLength) * (scoreStride(sequenceLength) + 1)
            + 2 * PackedMatrix.count(depth: headSize, columns: sequenceLength)
            + PackedMatrix.count(depth: sequenceLength, columns: headSize) + 48
    }

    /// One worker's scratch: two matrices of scores, a float a query row, and memory for the packed factors of one head.
    private struct Scratch {
        let scores, gradients: UnsafeMutablePointer<Float>
        let delta: UnsafeMutablePointer<Float>
        let keys, values, others: UnsafeMutablePointer<Float>
        let stride: Int

        init(_ memory: UnsafeMutablePointer<Float>, length: Int, headSize: Int, block: Int) {
            stride = scoreStride(length)
            scores = memory
            gradients = scores + block * stride
            delta = gradients + block * stride
            keys = delta + 2 * block
            values = keys + (PackedMatrix.count(depth: headSize, columns: length) + 15) / 16 * 16
            others = values + (PackedMatrix.count(depth: headSize, columns: length) + 15) / 16 * 16
        }

        func block(_ memory: UnsafeMutablePointer<Float>, _ rows: Range<Int>, keys: Int) -> MatrixView {
            MatrixView(memory, rows: rows.count, columns: keys, stride: stride)
        }
    }

    /// One head of one sequence: views of its columns.
    struct Head {
        let q, k, v: MatrixView  // (T, D) each, rows 3C apart
        let index: Int
        /// Where this head's rows of weights are among those of all heads of the sequence, for dropout, and how long they are.
        let firstWeights, weightsLength: Int

        init(_ qkv: MatrixView, index: Int, of headCount: Int) {
            let width = qkv.columns / 3
            let size = width / headCount
            q = qkv.columns(index * size..<(index + 1) * size)
            k = qkv.columns(width + index * size..<width + (index + 1) * size)
            v = qkv.columns(2 * width + index * size..<2 * width + (index + 1) * size)
            self.index = index
            firstWeights = index * qkv.rows
            weightsLength = qkv.rows
        }

        private init(_ head: Head, _ rows: Range<Int>) {
            q = head.q.rows(rows)
            k = head.k.rows(rows)
            v = head.v.rows(rows)
            index = head.index
            firstWeights = head.firstWeights + rows.lowerBound
            weightsLength = head.weightsLength
        }

        /// The head of a part of the sequence that stands by itself.
        func rows(_ rows: Range<Int>) -> Head { Head(self, rows) }

        var length: Int { q.rows }
        var size: Int { q.columns }

        func place(_ rows: Range<Int>) -> AttentionPattern.Place {
            AttentionPattern.Place(
                head: index,
                query: rows.lowerBound,
                firstWeights: firstWeights + rows.lowerBound,
                weightsLength: weightsLength
            )
        }
    }

    /// y (T, D, this head's columns) and lse (T) of one head, or of the share of its query rows that is `part` of `parts`.
    ///
    /// - Parameter documents: the rows that see each other, in order and without holes; nil for all of them.
    func forward(
        _ head: Head,
        documents: [Range<Int>]? = nil,
        part: Int = 0,
        of parts: Int = 1,
        into y: MatrixView,
        logSumExp: UnsafeMutablePointer<Float>,
        mask: dt_dropout?,
        scratch memory: UnsafeMutablePointer<Float>
    ) {
        // Blocks of queries are dealt to the parts over all documents.
        var firstPart = part
        for document in documents ?? [0..<head.length] {
            let blocks = tiles(of: document.count, size: pattern.queryBlock(document.count))
            if firstPart < blocks.count {
                forward(
                    head.rows(document),
                    stride(from: firstPart, to: blocks.count, by: parts).map { blocks[$0] },
                    into: y.rows(document),
                    logSumExp: logSumExp + document.lowerBound,
                    mask: mask,
                    scratch: memory
                )
            }
            firstPart = ((firstPart - blocks.count) % parts + parts) % parts
        }
    }

    /// Some blocks of the queries of one document.
    private func forward(
        _ head: Head,
        _ blocks: [Range<Int>],
        into y: MatrixView,
        logSumExp: UnsafeMutablePointer<Float>,
        mask: dt_dropout?,
        scratch memory: UnsafeMutablePointer<Float>
    ) {
        let scratch = scratch(memory, head)
        let keys = PackedMatrix(head.k, .transposed, in: scratch.keys)
        let values = PackedMatrix(head.v, .plain, in: scratch.others)
        keys.pack()
        values.pack()
        for rows in blocks {
            let p = scratch.block(scratch.scores, rows, keys: pattern.reach(rows, of: head.length))
            let q = head.q.rows(rows)
            MatrixProduct.multiply(q, keys, into: p, scale: scale(head), part: .attentionProducts)
            withMask(mask) { mask in
                pattern.softmax(p, logSumExp: logSumExp + rows.lowerBound, at: head.place(rows), mask: mask)
            }
            MatrixProduct.multiply(p, values, into: y.rows(rows), part: .attentionProducts)
            if ablatedHeads.contains(head.index) { Self.clear(y.rows(rows)) }
        }
    }

    private func scratch(_ memory: UnsafeMutablePointer<Float>, _ head: Head) -> Scratch {
        Scratch(memory, length: head.length, headSize: head.size, block: pattern.queryBlock(head.length))
    }

    private func scale(_ head: Head) -> Float { pattern.scale(headSize: head.size) }

    private static func clear(_ matrix: MatrixView) {
        for row in 0..<matrix.rows { (matrix.base + row * matrix.stride).update(repeating: 0, count: matrix.columns) }
    }

    /// From dy (T, D) of one head to the gradients of its q, k and v, which are overwritten.
    func backward(
        _ head: Head,
        documents: [Range<Int>]? = nil,
        y: MatrixView,
        dy: MatrixView,
        logSumExp: UnsafePointer<Float>,
        mask: dt_dropout?,
        into gradient: Head,
        scratch memory: UnsafeMutablePointer<Float>
    ) {
        if ablatedHeads.contains(head.index) { return [gradient.q, gradient.k, gradient.v].forEach(Self.clear) }
        for document in documents ?? [0..<head.length] {
            backward(
                document: head.rows(document),
                y: y.rows(document),
                dy: dy.rows(document),
                logSumExp: logSumExp + document.lowerBound,
                mask: mask,
                into: gradient.rows(document),
                scratch: memory
            )
        }
    }

    private func backward(
        document head: Head,
        y: MatrixView,
        dy: MatrixView,
        logSumExp: UnsafePointer<Float>,
        mask: dt_dropout?,
        into gradient: Head,
        scratch memory: UnsafeMutablePointer<Float>
    ) {
        let scratch = scratch(memory, head)
        let keysTransposed = PackedMatrix(head.k, .transposed, in: scratch.keys)
        let valuesTransposed = PackedMatrix(head.v, .transposed, in: scratch.values)
        let keys = PackedMatrix(head.k, .plain, in: scratch.others)
        for matrix in [keysTransposed, valuesTransposed, keys] { matrix.pack() }
        func multiply(
            _ a: MatrixView,
            _ orientation: Orientation = .plain,
            _ b: MatrixView,
            into c: MatrixView,
            keep: Float
        ) {
            MatrixProduct.multiply(a, orientation, b, .plain, into: c, keep: keep, part: .attentionProducts)
        }
        // From the last block, which reaches every key and so initializes dk and dv, to the first.
        for rows in tiles(of: head.length, size: pattern.queryBlock(head.length)).reversed() {
            let seen = 0..<pattern.reach(rows, of: head.length)
            let keep: Float = rows.upperBound == head.length ? 0 : 1
            let (q, yRows, dyRows) = (head.q.rows(rows), y.rows(rows), dy.rows(rows))
            let p = scratch.block(scratch.scores, rows, keys: seen.count)
            MatrixProduct.multiply(q, keysTransposed, into: p, scale: scale(head), part: .attentionProducts)
            pattern.probabilities(p, logSumExp: logSumExp + rows.lowerBound, at: head.place(rows))
            let ds = scratch.block(scratch.gradients, rows, keys: seen.count)
            MatrixProduct.multiply(dyRows, valuesTransposed, into: ds, part: .attentionProducts)
            Kernels.table.dot_rows(
                scratch.delta,
                dyRows.base,
                dyRows.stride,
                yRows.base,
                yRows.stride,
                rows.count,
                head.size
            )
            withMask(mask) { mask in
                pattern.softmaxBackward(
                    ds,
                    p,
                    delta: scratch.delta,
                    scale: scale(head),
                    at: head.place(rows),
                    mask: mask
                )
            }
            multiply(p, .transposed, dyRows, into: gradient.v.rows(seen), keep: keep)
            MatrixProduct.multiply(ds, keys, into: gradient.q.rows(rows), part: .attentionProducts)
            multiply(ds, .transposed, q, into: gradient.k.rows(seen), keep: keep)
        }
    }

    /// The attention weights P of one head, (T, T), of a sequence that is one document; zero above the diagonal; without dropout.
    func weights(_ head: Head, logSumExp: UnsafePointer<Float>) -> [Float] {
        let length = head.length
        return [Float](unsafeUninitializedCapacity: length * length) { weights, count in
            weights.initialize(repeating: 0)
            let all = MatrixView(weights.baseAddress!, rows: length, columns: length)
            for rows in tiles(of: length, size: pattern.queryBlock(length)) {
                let seen = 0..<pattern.reach(rows, of: length)
                let p = all.rows(rows).columns(seen)
                MatrixProduct.multiply(
                    head.q.rows(rows),
                    .plain,
                    head.k.rows(seen),
                    .transposed,
                    into: p,
                    scale: scale(head)
                )
                pattern.probabilities(p, logSumExp: logSumExp + rows.lowerBound, at: head.place(rows))
            }
            count = length * length
        }
    }
}
