import Compute

/// The model's attention by itself, between the linear layers: the heads of one sequence, for benchmarks and tests.
///
/// `qkv` is (T, 3C), q, k and v side by side, `y` (T, C) the heads' outputs; see `AttentionHead` for the formulas.
public final class AttentionProbe {
    private let head: AttentionHead
    private let headCount: Int
    private let length: Int
    private let context: ComputeContext
    private let logSumExp: FloatBuffer
    private let scratch: FloatBuffer
    private let scratchShape: AttentionScratch.Shape

    /// - Parameters:
    ///   - headCount: H.
    ///   - headSize: D.
    ///   - length: T, tokens of the sequence.
    ///   - context: what computes.
    public init(headCount: Int, headSize: Int, length: Int, context: ComputeContext) {
        head = AttentionHead(size: headSize, mask: CausalMask())
        (self.headCount, self.length, self.context) = (headCount, length, context)
        logSumExp = FloatBuffer(count: headCount * length)
        scratchShape = AttentionScratch.Shape(head, length: length)
        scratch = FloatBuffer(count: scratchShape.count(context.products) * context.pool.threadCount)
    }

    /// What forward and backward take besides their arguments.
    public var bytes: Int { 4 * (logSumExp.count + scratch.count) }

    /// y (T, C) from qkv (T, 3C), heads shared among the workers.
    public func forward(qkv: MatrixView, into y: MatrixView) {
        check([qkv], heads: 3 * headCount)
        check([y], heads: headCount)
        context.pool.run(headCount) { index, worker in
            head.forward(view(qkv, index), into: y.columns(columns(index)), pass(index, worker))
        }
    }

    /// After `forward` of the same: the gradient of `qkv`, which is overwritten, from that of `y`: all (T, 3C) and (T, C).
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
                "(\(matrix.rows), \(matrix.columns)) where (\(length), \(heads * head.size)) is needed"
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
