import Compute

/// Runs the attention heads of one sequence without the linear layers, for benchmarks and tests.
///
/// `qkv` is (T, 3C): q, k and v side by side. `y` is (T, C): the outputs of the heads. `AttentionHead` has the
/// formulas.
public final class AttentionProbe {
    private let head: AttentionHead
    private let headCount: Int
    private let length: Int
    private let context: ComputeContext
    private let logSumExp: FloatBuffer
    private let scratch: FloatBuffer
    private let scratchShape: AttentionScratch.Shape

    /// Creates a probe and allocates its scratch memory.
    ///
    /// - Parameters:
    ///   - headCount: H, the number of heads.
    ///   - headSize: D, the number of features per head.
    ///   - length: T, the number of tokens in the sequence.
    ///   - context: the threads, kernels and products to compute with.
    public init(headCount: Int, headSize: Int, length: Int, context: ComputeContext) {
        head = AttentionHead(size: headSize, mask: CausalMask())
        (self.headCount, self.length, self.context) = (headCount, length, context)
        logSumExp = FloatBuffer(count: headCount * length)
        scratchShape = AttentionScratch.Shape(head, length: length)
        scratch = FloatBuffer(count: scratchShape.count(context.products) * context.pool.threadCount)
    }

    /// The scratch memory of both passes, in bytes.
    public var bytes: Int { 4 * (logSumExp.count + scratch.count) }

    /// Computes y (T, C) from qkv (T, 3C). The workers share the heads.
    public func forward(qkv: MatrixView, into y: MatrixView) {
        check([qkv], heads: 3 * headCount)
        check([y], heads: headCount)
        context.pool.run(headCount) { index, worker in
            head.forward(view(qkv, index), into: y.columns(columns(index)), pass(index, worker))
        }
    }

    /// Computes the gradient of `qkv`, (T, 3C), from the gradient `dy` of `y`, (T, C). Call it after `forward` with the
    /// same qkv. `gradient` is overwritten.
    public func backward(qkv: MatrixView, y: MatrixView, dy: MatrixView, into gradient: MatrixView) {
        check([qkv, gradient], heads: 3 * headCount)
        check([y, dy], heads: headCount)
        context.pool.run(headCount) { index, worker in
            let columns = columns(index)
            let dqkv = view(gradient, index)
            head.backward(
                view(qkv, index),
                y: y.columns(columns),
                dy: dy.columns(columns),
                into: dqkv,
                pass(index, worker)
            )
        }
    }

    private func check(_ matrices: [MatrixView], heads: Int) {
        for matrix in matrices {
            precondition(
                matrix.rows == length && matrix.columns == heads * head.size,
                "expected a matrix of shape (\(length), \(heads * head.size)), not (\(matrix.rows), \(matrix.columns))"
            )
        }
    }

    private func pass(_ index: Int, _ worker: Int) -> HeadPass {
        let memory = scratch.base + worker * scratchShape.count(context.products)
        return HeadPass(
            logSumExp: logSumExp.base + index * length,
            scratch: AttentionScratch(memory, scratchShape, context.products)
        )
    }

    private func view(_ qkv: MatrixView, _ index: Int) -> HeadView {
        let (k, v) = (columns(headCount + index), columns(2 * headCount + index))
        return HeadView(q: qkv.columns(columns(index)), k: qkv.columns(k), v: qkv.columns(v), index: index)
    }

    private func columns(_ index: Int) -> Range<Int> { index * head.size..<(index + 1) * head.size }
}
