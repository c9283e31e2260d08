import CVectorKernels
import Compute

/// Views of the columns of one query head of one sequence.
struct HeadView {
    let q, k, v: MatrixView  // (T, D) each
    /// The index of the query head.
    let index: Int
    /// For dropout: the index of this head's first row of weights among those of all heads of the sequence, and the
    /// rows' length.
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

    /// Returns the same head for some rows of the sequence.
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

/// One worker's scratch memory for the attention of one head: two matrices of scores, one float per query row, and
/// memory for packed factors.
struct AttentionScratch {
    /// The place of a packed factor.
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

    /// The sizes that determine the size of the scratch memory.
    struct Shape {
        /// The length of the longest sequence, in tokens.
        let length: Int
        let headSize: Int
        /// The number of query rows in a block of the longest sequence.
        let block: Int

        init(_ head: AttentionHead, length: Int) {
            self.length = length
            headSize = head.size
            // Shorter sequences may use smaller blocks, but never larger ones.
            block = head.mask.queryBlockSize(length)
        }

        /// Returns the number of floats that these products need.
        func count(_ products: MatrixProducts) -> Int { packed(.third, products) + transposedCount(products) + 15 }

        /// Returns the distance between rows of scores, in floats. It is never a power of two, so that the elements of
        /// a column do not compete for one cache set.
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

    /// Returns a matrix of scores for this number of queries and keys, of a sequence of `length` tokens.
    func scores(_ queries: Int, _ keys: Int, length: Int) -> MatrixView {
        MatrixView(memory, rows: queries, columns: keys, stride: Shape.stride(length))
    }

    /// Returns a second such matrix, for the gradient of the scores.
    func scoreGradients(_ queries: Int, _ keys: Int, length: Int) -> MatrixView {
        MatrixView(memory + shape.scoreCount, rows: queries, columns: keys, stride: Shape.stride(length))
    }

    private var delta: UnsafeMutablePointer<Float> { memory + 2 * shape.scoreCount }

    /// Turns scores into attention weights with dropout, and stores the log of each row's sum of exponentials.
    func softmax(_ scores: MatrixView, _ mask: any AttentionMask, _ place: ScorePlace, _ pass: HeadPass) -> MatrixView {
        mask.softmax(scores, logSumExp: pass.logSumExp + place.row, place, pass.dropout, kernels)
        return scores
    }

    /// Turns scores into the same weights again, without dropout.
    func probabilities(_ scores: MatrixView, _ mask: any AttentionMask, _ place: ScorePlace, _ pass: HeadPass) {
        mask.probabilities(scores, logSumExp: pass.logSumExp + place.row, place, kernels)
    }

    /// Turns `ds` from the gradient of the weights after dropout into the gradient of q kᵀ, and p into the weights
    /// after dropout.
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

    /// Packs a factor of several products. `second` is for plain factors (T, D), the other places for transposed ones.
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
