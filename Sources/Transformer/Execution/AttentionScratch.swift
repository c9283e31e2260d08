import CVectorKernels
import Compute

/// One query head of one sequence: views of its columns.
struct HeadView {
    let q, k, v: MatrixView  // (T, D) each
    /// Of the query head.
    let index: Int
    /// Where this head's rows of weights are among those of all heads of the sequence, for dropout, and how long they are.
    private let firstWeights, weightsLength: Int

    init(q: MatrixView, k: MatrixView, v: MatrixView, index: Int) {
        (self.q, self.k, self.v, self.index) = (q, k, v, index)
        firstWeights = index * q.rows
        weightsLength = q.rows
    }

    private init(_ head: HeadView, _ rows: Range<Int>) {
        q = head.q.rows(rows)
        k = head.k.rows(rows)
        v = head.v.rows(rows)
        index = head.index
        firstWeights = head.firstWeights + rows.lowerBound
        weightsLength = head.weightsLength
    }

    /// The head of a part of the sequence that stands by itself.
    func rows(_ rows: Range<Int>) -> HeadView { HeadView(self, rows) }

    var length: Int { q.rows }

    func place(_ rows: Range<Int>) -> ScorePlace {
        ScorePlace(
            head: index,
            row: rows.lowerBound,
            query: rows.lowerBound,
            firstWeights: firstWeights + rows.lowerBound,
            weightsLength: weightsLength
        )
    }
}

/// Scratch of one worker for the attention of one head: two matrices of scores, a float for each query row, and memory in which
/// factors are packed.
struct AttentionScratch {
    /// The memory of a packed factor.
    enum Place {
        case first, second, third
    }

    private let memory: UnsafeMutablePointer<Float>
    private let shape: Shape
    let products: MatrixProducts

    var kernels: Kernels { products.kernels }

    init(_ memory: UnsafeMutablePointer<Float>, _ shape: Shape, _ products: MatrixProducts) {
        self.memory = memory
        self.shape = shape
        self.products = products
    }

    /// What decides the size of the scratch.
    struct Shape {
        /// Of the longest sequence.
        let length: Int
        let headSize: Int
        /// Query rows of a block of the longest sequence.
        let block: Int

        init(_ head: AttentionHead, length: Int) {
            self.length = length
            headSize = head.size
            // Shorter sequences may have smaller blocks, never larger ones.
            block = head.mask.queryBlockSize(length)
        }

        /// Floats of scratch, for products of this kind.
        func count(_ products: MatrixProducts) -> Int { packed(.third, products) + transposedCount(products) + 15 }

        /// The distance between rows of scores: never a power of two, so that a column's elements do not share a cache set.
        static func stride(_ length: Int) -> Int { (length + 15) / 16 * 16 + 16 }

        var scoreCount: Int { block * Self.stride(length) }

        func packed(_ place: Place, _ products: MatrixProducts) -> Int {
            let first = 2 * scoreCount + (block + 15) / 16 * 16
            let plainCount = products.packedCount(depth: length, columns: headSize)
            return switch place {
            case .first: first
            case .second: first + (transposedCount(products) + 15) / 16 * 16
            case .third: first + (transposedCount(products) + 15) / 16 * 16 + (plainCount + 15) / 16 * 16
            }
        }

        private func transposedCount(_ products: MatrixProducts) -> Int {
            products.packedCount(depth: headSize, columns: length)
        }
    }

    /// A matrix of scores of these many queries and keys, of a sequence of `length`.
    func scores(_ queries: Int, _ keys: Int, length: Int) -> MatrixView {
        MatrixView(memory, rows: queries, columns: keys, stride: Shape.stride(length))
    }

    /// A second one, for their gradient.
    func scoreGradients(_ queries: Int, _ keys: Int, length: Int) -> MatrixView {
        MatrixView(memory + shape.scoreCount, rows: queries, columns: keys, stride: Shape.stride(length))
    }

    private var delta: UnsafeMutablePointer<Float> { memory + 2 * shape.scoreCount }

    /// Scores become dropped weights, and the log of each row's sum of exponentials is stored.
    func softmax(_ scores: MatrixView, _ mask: any AttentionMask, _ place: ScorePlace, _ pass: HeadPass) -> MatrixView {
        mask.softmax(scores, logSumExp: pass.logSumExp + place.row, place, pass.dropout, kernels)
        return scores
    }

    /// Scores become the same weights again, without dropout.
    func probabilities(_ scores: MatrixView, _ mask: any AttentionMask, _ place: ScorePlace, _ pass: HeadPass) {
        mask.probabilities(scores, logSumExp: pass.logSumExp + place.row, place, kernels)
    }

    /// The gradient of the dropped weights, `ds`, becomes that of q kᵀ, and p becomes the dropped weights.
    func softmaxBackward(
        _ ds: MatrixView,
        _ p: MatrixView,
        rowDots: (MatrixView, MatrixView),
        scale: Float,
        _ mask: any AttentionMask,
        _ place: ScorePlace,
        _ pass: HeadPass
    ) {
        let (a, b) = rowDots
        kernels.table.dot_rows(delta, a.base, a.stride, b.base, b.stride, a.rows, a.columns)
        mask.softmaxBackward(ds, p, delta: delta, scale: scale, place, pass.dropout, kernels)
    }

    // MARK: Products

    /// The factor of several products, packed. `second` is for plain factors (T, D), the others for transposed ones.
    func factor(_ matrix: MatrixView, _ orientation: Orientation, _ place: Place) -> PackedMatrix {
        let packed = PackedMatrix(matrix, orientation, in: memory + shape.packed(place, products), for: products)
        packed.pack()
        return packed
    }

    func multiply(_ a: MatrixView, _ b: PackedMatrix, into c: MatrixView, scale: Float = 1) {
        products.multiply(a, b, into: c, scale: scale, part: .attentionProducts)
    }

    func multiply(_ a: MatrixView, _ orientation: Orientation, _ b: MatrixView, into c: MatrixView, keep: Float) {
        products.multiply(a, orientation, b, .plain, into: c, keep: keep, part: .attentionProducts)
    }
}
