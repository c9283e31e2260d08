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
struct CausalSelfAttention {
    let attention: Linear
    let projection: Linear
    let headCount: Int

    /// Query rows a block: scores of 64 rows by 1024 keys are 256 KiB, which stays in a core's second-level cache.
    static let queryBlock = 64

    /// Floats of scratch that one worker needs for sequences of this length.
    static func scratchCount(sequenceLength: Int) -> Int { 2 * queryBlock * sequenceLength + queryBlock }

    /// One head of one sequence: views of its columns.
    struct Head {
        let q, k, v: MatrixView  // (T, D) each, rows 3C apart
        let index: Int

        init(_ qkv: MatrixView, index: Int, of headCount: Int) {
            let width = qkv.columns / 3
            let size = width / headCount
            q = qkv.columns(index * size..<(index + 1) * size)
            k = qkv.columns(width + index * size..<width + (index + 1) * size)
            v = qkv.columns(2 * width + index * size..<2 * width + (index + 1) * size)
            self.index = index
        }

        var length: Int { q.rows }
        var size: Int { q.columns }
        var scale: Float { 1 / Float(size).squareRoot() }
    }

    /// The scores `q kᵀ / sqrt(D)` of query rows `rows` against the keys that the last of them sees.
    private func scores(_ head: Head, _ rows: Range<Int>, into scratch: UnsafeMutablePointer<Float>) -> MatrixView {
        let scores = MatrixView(scratch, rows: rows.count, columns: rows.upperBound)
        MatrixProduct.multiply(
            head.q.rows(rows),
            .plain,
            head.k.rows(0..<rows.upperBound),
            .transposed,
            into: scores,
            scale: head.scale
        )
        return scores
    }

    /// y (T, D, this head's columns) and lse (T) of one head.
    func forward(
        _ head: Head,
        into y: MatrixView,
        logSumExp: UnsafeMutablePointer<Float>,
        mask: dt_dropout?,
        scratch: UnsafeMutablePointer<Float>
    ) {
        for rows in tiles(of: head.length, size: Self.queryBlock) {
            let p = scores(head, rows, into: scratch)
            withMask(mask) { mask in
                Kernels.table.causal_softmax(
                    p.base,
                    logSumExp + rows.lowerBound,
                    p.rows,
                    rows.lowerBound + 1,
                    p.columns,
                    p.stride,
                    mask,
                    head.index * head.length + rows.lowerBound,
                    head.length
                )
            }
            MatrixProduct.multiply(p, .plain, head.v.rows(0..<rows.upperBound), .plain, into: y.rows(rows))
        }
    }

    /// From dy (T, D) of one head to the gradients of its q, k and v, which are overwritten.
    func backward(
        _ head: Head,
        y: MatrixView,
        dy: MatrixView,
        logSumExp: UnsafePointer<Float>,
        mask: dt_dropout?,
        into gradient: Head,
        scratch: UnsafeMutablePointer<Float>
    ) {
        let delta = scratch + 2 * Self.queryBlock * head.length
        // From the last block, which reaches every key and so initializes dk and dv, to the first.
        for rows in tiles(of: head.length, size: Self.queryBlock).reversed() {
            let keys = 0..<rows.upperBound
            let keep: Float = rows.upperBound == head.length ? 0 : 1
            let p = scores(head, rows, into: scratch)
            Kernels.table.causal_probabilities(
                p.base,
                logSumExp + rows.lowerBound,
                p.rows,
                rows.lowerBound + 1,
                p.columns,
                p.stride
            )
            let dyRows = dy.rows(rows)
            let ds = MatrixView(scratch + Self.queryBlock * head.length, rows: p.rows, columns: p.columns)
            MatrixProduct.multiply(dyRows, .plain, head.v.rows(keys), .transposed, into: ds)
            let yRows = y.rows(rows)
            Kernels.table.dot_rows(delta, dyRows.base, dyRows.stride, yRows.base, yRows.stride, rows.count, head.size)
            withMask(mask) { mask in
                Kernels.table.causal_softmax_backward(
                    ds.base,
                    p.base,
                    delta,
                    head.scale,
                    p.rows,
                    rows.lowerBound + 1,
                    p.columns,
                    p.stride,
                    mask,
                    head.index * head.length + rows.lowerBound,
                    head.length
                )
            }
            MatrixProduct.multiply(p, .transposed, dyRows, .plain, into: gradient.v.rows(keys), keep: keep)
            MatrixProduct.multiply(ds, .plain, head.k.rows(keys), .plain, into: gradient.q.rows(rows))
            MatrixProduct.multiply(ds, .transposed, head.q.rows(rows), .plain, into: gradient.k.rows(keys), keep: keep)
        }
    }

    /// The attention weights P of one head, (T, T), zero above the diagonal; without dropout.
    func weights(_ head: Head, logSumExp: UnsafePointer<Float>) -> [Float] {
        let length = head.length
        return [Float](unsafeUninitializedCapacity: length * length) { weights, count in
            weights.initialize(repeating: 0)
            let scratch = FloatBuffer(count: Self.queryBlock * length)
            for rows in tiles(of: length, size: Self.queryBlock) {
                let p = scores(head, rows, into: scratch.base)
                Kernels.table.causal_probabilities(
                    p.base,
                    logSumExp + rows.lowerBound,
                    p.rows,
                    rows.lowerBound + 1,
                    p.columns,
                    p.stride
                )
                for row in 0..<p.rows {
                    let target = weights.baseAddress! + (rows.lowerBound + row) * length
                    target.update(from: p.base + row * p.stride, count: p.columns)
                }
            }
            count = length * length
        }
    }
}
