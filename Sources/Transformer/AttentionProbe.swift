import Compute

/// The model's attention by itself, between the linear layers: the heads of one sequence, for benchmarks and tests.
///
/// `qkv` is (T, 3C), q, k and v side by side, `y` (T, C) the heads' outputs; see `CausalSelfAttention` for the formulas.
public final class AttentionProbe {
    private let attention: CausalSelfAttention
    private let pool: WorkerPool
    private let logSumExp: FloatBuffer
    private let scratch: FloatBuffer
    private let scratchCount: Int

    /// - Parameters:
    ///   - headCount: H.
    ///   - headSize: D.
    ///   - length: T, tokens of the sequence.
    ///   - pool: its threads compute.
    public init(headCount: Int, headSize: Int, length: Int, pool: WorkerPool) {
        let none = MatrixView(UnsafeMutablePointer(bitPattern: 64)!, rows: 0, columns: 0)
        let linear = Linear(weight: none, bias: nil, gradient: nil)
        attention = CausalSelfAttention(attention: linear, projection: linear, headCount: headCount)
        self.pool = pool
        logSumExp = FloatBuffer(count: headCount * length)
        scratchCount = CausalSelfAttention.scratchCount(
            sequenceLength: length,
            headSize: headSize,
            pattern: attention.pattern
        )
        scratch = FloatBuffer(count: scratchCount * pool.threadCount)
    }

    /// What forward and backward take besides their arguments.
    public var bytes: Int { 4 * (logSumExp.count + scratch.count) }

    /// y (T, C) from qkv (T, 3C), heads shared among the workers.
    public func forward(qkv: MatrixView, into y: MatrixView) {
        pool.run(attention.headCount) { index, worker in
            let head = CausalSelfAttention.Head(qkv, index: index, of: attention.headCount)
            attention.forward(
                head,
                into: y.columns(index * head.size..<(index + 1) * head.size),
                logSumExp: logSumExp.base + index * head.length,
                mask: nil,
                scratch: scratch.base + worker * scratchCount
            )
        }
    }

    /// After `forward` of the same: the gradient of `qkv`, which is overwritten, from that of `y`: all (T, 3C) and (T, C).
    public func backward(qkv: MatrixView, y: MatrixView, dy: MatrixView, into gradient: MatrixView) {
        pool.run(attention.headCount) { index, worker in
            let head = CausalSelfAttention.Head(qkv, index: index, of: attention.headCount)
            let columns = index * head.size..<(index + 1) * head.size
            attention.backward(
                head,
                y: y.columns(columns),
                dy: dy.columns(columns),
                logSumExp: logSumExp.base + index * head.length,
                mask: nil,
                into: CausalSelfAttention.Head(gradient, index: index, of: attention.headCount),
                scratch: scratch.base + worker * scratchCount
            )
        }
    }
}
