import Compute

/// Textbook causal self-attention, for comparison with the model's tiled attention. It keeps each head's whole (T, T)
/// matrix of weights from the forward to the backward pass.
///
/// ```
/// P = softmax(q kᵀ / sqrt(D) + mask)      y = P v
/// dv = Pᵀ dy      dP = dy vᵀ      dS = P * (dP - rowsum(P * dP)) / sqrt(D)      dq = dS k      dk = dSᵀ q
/// ```
final class PlainAttention {
    private let headCount: Int
    private let length: Int
    private let pool: WorkerPool
    private let weights: FloatBuffer  // (H, T, T)
    private let gradients: FloatBuffer  // (workers, T, T)

    init(headCount: Int, length: Int, pool: WorkerPool) {
        self.headCount = headCount
        self.length = length
        self.pool = pool
        weights = FloatBuffer(count: headCount * length * length)
        gradients = FloatBuffer(count: pool.threadCount * length * length)
    }

    static func bytes(headCount: Int, length: Int, threads: Int) -> Int { 4 * (headCount + threads) * length * length }

    /// Computes y (T, C) from qkv (T, 3C).
    func forward(qkv: MatrixView, into y: MatrixView) {
        pool.run(headCount) { head, _ in
            let (q, k, v) = heads(qkv, head)
            let p = matrix(weights.base, head)
            MatrixProducts.standard.multiply(q, .plain, k, .transposed, into: p, scale: scale(q))
            for row in 0..<length { Self.softmax(p.base + row * length, seen: row + 1, count: length) }
            MatrixProducts.standard.multiply(p, .plain, v, .plain, into: columns(y, head))
        }
    }

    /// Computes the gradient of qkv (T, 3C) from the gradient of y (T, C). Call `forward` with the same qkv first.
    func backward(qkv: MatrixView, dy: MatrixView, into gradient: MatrixView) {
        pool.run(headCount) { head, worker in
            let (q, k, v) = heads(qkv, head)
            let (dq, dk, dv) = heads(gradient, head)
            let dyHead = columns(dy, head)
            let p = matrix(weights.base, head)
            let ds = matrix(gradients.base, worker)
            MatrixProducts.standard.multiply(p, .transposed, dyHead, .plain, into: dv)
            MatrixProducts.standard.multiply(dyHead, .plain, v, .transposed, into: ds)
            for row in 0..<length {
                Self.softmaxBackward(ds.base + row * length, p.base + row * length, scale: scale(q), count: length)
            }
            MatrixProducts.standard.multiply(ds, .plain, k, .plain, into: dq)
            MatrixProducts.standard.multiply(ds, .transposed, q, .plain, into: dk)
        }
    }

    private func scale(_ q: MatrixView) -> Float { 1 / Float(q.columns).squareRoot() }

    private func matrix(_ base: UnsafeMutablePointer<Float>, _ index: Int) -> MatrixView {
        MatrixView(base + index * length * length, rows: length, columns: length)
    }

    /// The columns of q, k and v that belong to a head.
    private func heads(_ qkv: MatrixView, _ head: Int) -> (q: MatrixView, k: MatrixView, v: MatrixView) {
        let width = qkv.columns / 3
        let parts = (0..<3).map { columns(qkv.columns($0 * width..<($0 + 1) * width), head) }
        return (parts[0], parts[1], parts[2])
    }

    /// The columns of a (T, C) matrix that belong to a head.
    private func columns(_ matrix: MatrixView, _ head: Int) -> MatrixView {
        let size = matrix.columns / headCount
        return matrix.columns(head * size..<(head + 1) * size)
    }

    /// Replaces the first `seen` scores by their softmax and the others by 0.
    private static func softmax(_ row: UnsafeMutablePointer<Float>, seen: Int, count: Int) {
        var largest = row[0]
        for column in 1..<max(1, seen) { largest = max(largest, row[column]) }
        for column in 0..<seen { row[column] -= largest }
        Kernels.standard.table.exponential(row, row, seen)
        let sum = total(seen) { row[$0] }
        for column in 0..<seen { row[column] /= sum }
        (row + seen).update(repeating: 0, count: count - seen)
    }

    /// Replaces dp by the gradient of the scores.
    private static func softmaxBackward(
        _ dp: UnsafeMutablePointer<Float>,
        _ p: UnsafePointer<Float>,
        scale: Float,
        count: Int
    ) {
        let sum = total(count) { p[$0] * dp[$0] }
        for column in 0..<count { dp[column] = p[column] * (dp[column] - sum) * scale }
    }

    /// The sum of the elements, in eight lanes for speed.
    @inline(__always)
    private static func total(_ count: Int, _ element: (Int) -> Float) -> Float {
        var lanes = SIMD8<Float>.zero
        var index = 0
        while index + 8 <= count {
            for lane in 0..<8 { lanes[lane] += element(index + lane) }
            index += 8
        }
        var sum = lanes.sum()
        while index < count {
            sum += element(index)
            index += 1
        }
        return sum
    }
}
