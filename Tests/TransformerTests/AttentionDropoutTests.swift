import Compute
import ReferenceGPT
import Testing

@testable import Transformer

/// Compares attention with dropout with plain loops in Double, also within documents. The reference model has no
/// dropout, and finite differences of a whole model are too coarse to detect a small error in this branch.
@Suite("Attention with dropout")
struct AttentionDropoutTests {
    private let length = 70  // more than one block of queries
    private let size = 6
    private let headCount = 2

    struct Case: Sendable {
        var index: Int
        var probability: Float
        var documents: [Range<Int>]?

        static let all = [
            Case(index: 0, probability: 0.1), Case(index: 1, probability: 0.5),
            Case(index: 0, probability: 0.5, documents: [0..<1, 1..<2, 2..<36, 36..<70]),
            Case(index: 1, probability: 0.1, documents: [0..<69, 69..<70]),
        ]
    }

    @Test("the output and the gradients of q, k and v agree with plain loops", arguments: Case.all)
    func head(given: Case) throws {
        let (index, probability) = (given.index, given.probability)
        let width = headCount * size
        let dropout = try #require(
            Dropout(probability: probability, key: DropoutKey(seed: 3, step: 4, firstSequence: 5))
        )
        let mask = dropout.at(.attentionWeights(layer: 1), sequence: 2)
        let qkv = numbers(length * 3 * width, item: 1)
        let dy = numbers(length * size, item: 2)
        let y = FloatBuffer(count: length * size)
        let logSumExp = FloatBuffer(count: length)
        let gradient = FloatBuffer(count: length * 3 * width)
        let head = AttentionHead(size: size, mask: CausalMask())
        let scratchShape = AttentionScratch.Shape(head, length: length)
        let scratch = FloatBuffer(count: scratchShape.count(.standard))
        let pass = HeadPass(
            documents: given.documents,
            logSumExp: logSumExp.base,
            dropout: mask,
            scratch: AttentionScratch(scratch.base, scratchShape, .standard)
        )
        let yView = MatrixView(y.base, rows: length, columns: size)
        head.forward(view(qkv, index), into: yView, pass)
        let dyView = MatrixView(dy.base, rows: length, columns: size)
        head.backward(view(qkv, index), y: yView, dy: dyView, into: view(gradient, index), pass)

        // The multipliers of this head's weights, (T, T): ones after dropout with the same mask.
        let ones = [Float](repeating: 1, count: length * length)
        var multipliers = ones
        withUnsafePointer(to: mask) {
            Kernels.standard.table.dropout_rows(
                &multipliers,
                ones,
                length,
                length,
                $0,
                index * length,
                headCount * length
            )
        }
        let starts = (given.documents ?? [0..<length]).flatMap { document in document.map { _ in document.lowerBound } }
        let exact = expected(qkv, dy, index: index, starts: starts, multipliers: multipliers.map(Double.init))
        expectClose(y.elements.map(Double.init), exact.y, "y")
        let start = index * size
        for (part, (name, values)) in [("dq", exact.dq), ("dk", exact.dk), ("dv", exact.dv)].enumerated() {
            let actual = (0..<length).flatMap { row in
                (0..<size).map { Double(gradient.elements[row * 3 * width + part * width + start + $0]) }
            }
            expectClose(actual, values, name)
        }
    }

    private func view(_ qkv: borrowing FloatBuffer, _ index: Int) -> HeadView {
        let all = MatrixView(qkv.base, rows: length, columns: 3 * headCount * size)
        func columns(_ part: Int) -> MatrixView {
            let first = (part * headCount + index) * size
            return all.columns(first..<first + size)
        }
        return HeadView(q: columns(0), k: columns(1), v: columns(2), index: index)
    }

    private func expectClose(_ actual: [Double], _ exact: [Double], _ name: String) {
        let difference = norm(zip(actual, exact).map { $0 - $1 })
        #expect(difference < 1e-5 * norm(exact), "\(name): \(difference) of \(norm(exact))")
    }

    private func numbers(_ count: Int, item: UInt32) -> FloatBuffer {
        let buffer = FloatBuffer(count: count)
        let random = CounterRandom(seed: 8, stream: .test, item: item)
        for index in 0..<count { buffer.base[index] = Float(random.normalPair(UInt32(index)).0) }
        return buffer
    }

    /// Row t attends to the columns from `starts[t]` on; its first multiplier belongs to the first of them.
    /// `w = softmax(q kᵀ / sqrt(D))`, `y = (m w) v`; `ds = w (m (dy vᵀ) - Σ m w (dy vᵀ)) / sqrt(D)`.
    private func expected(
        _ qkv: borrowing FloatBuffer,
        _ dy: borrowing FloatBuffer,
        index: Int,
        starts: [Int],
        multipliers: [Double]
    ) -> (y: [Double], dq: [Double], dk: [Double], dv: [Double]) {
        let width = headCount * size
        func part(_ part: Int) -> [[Double]] {
            (0..<length).map { row in
                (0..<size).map { Double(qkv.base[row * 3 * width + part * width + index * size + $0]) }
            }
        }
        func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
        let (q, k, v) = (part(0), part(1), part(2))
        let scale = 1 / Double(size).squareRoot()
        var y = [Double](repeating: 0, count: length * size)
        var (dq, dk, dv) = (y, y, y)
        for t in 0..<length {
            let gradient = (0..<size).map { Double(dy.base[t * size + $0]) }
            let seen = starts[t]...t
            let m = Array(multipliers[t * length..<(t + 1) * length])
            let w = ReferenceLayers.softmax(seen.map { dot(q[t], k[$0]) * scale })
            let dw = zip(m, seen).map { $0 * dot(gradient, v[$1]) }
            let average = dot(w, dw)
            for (i, s) in seen.enumerated() {
                let ds = w[i] * (dw[i] - average) * scale
                for c in 0..<size {
                    y[t * size + c] += m[i] * w[i] * v[s][c]
                    dv[s * size + c] += m[i] * w[i] * gradient[c]
                    dq[t * size + c] += ds * k[s][c]
                    dk[s * size + c] += ds * q[t][c]
                }
            }
        }
        return (y, dq, dk, dv)
    }
}
