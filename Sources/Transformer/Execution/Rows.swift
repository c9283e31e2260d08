import CVectorKernels
import Compute

/// Some rows (tokens) of a chunk that pass through the layers together.
///
/// In training, one worker runs all operations of a row phase on a tile of rows, which stays in its core's cache. In
/// generation there are few rows, and the workers share each operation.
struct Rows {
    let pass: Pass
    let range: Range<Int>
    private let worker: Int
    /// Whether the workers share each operation.
    private let isShared: Bool

    init(_ pass: Pass, _ range: Range<Int>, worker: Int = 0, isShared: Bool = false) {
        (self.pass, self.range, self.worker, self.isShared) = (pass, range, worker, isShared)
    }

    var kernels: Kernels { pass.context.kernels }

    /// These rows of a slot.
    subscript(slot: Slot) -> MatrixView { pass.arena.matrix(slot, range, worker: worker) }

    func values(_ parameter: Parameter) -> UnsafeMutablePointer<Float> { matrix(parameter).base }
    func matrix(_ parameter: Parameter) -> MatrixView { pass.matrix(parameter) }

    /// Returns the token of one of these rows.
    func token(_ row: Int) -> Int32 { pass.tokens[range.lowerBound + row] }

    /// Returns the position of one of these rows in its sequence.
    func position(_ row: Int) -> Int { pass.firstPosition + (range.lowerBound + row) % pass.length }

    /// Runs `body`, which must work row by row, on all rows at once or on some rows per worker. `body` must not
    /// multiply by weights.
    func share(_ body: (Rows) -> Void) {
        guard isShared else { return body(self) }
        let parts = tiles(of: range.count, size: 32)
        pass.context.pool.run(parts.count) { task, _ in
            let part = parts[task]
            body(Rows(pass, range.lowerBound + part.lowerBound..<range.lowerBound + part.upperBound))
        }
    }

    // MARK: Products with weights

    /// y = x W + b
    func multiply(
        _ x: MatrixView,
        _ weight: Weight,
        bias: Parameter? = nil,
        into y: MatrixView,
        part: Part = .linearForward
    ) {
        let bias = bias.map(values)
        if isShared { return pass.context.multiplyShared(x, matrix(weight.parameter), bias: bias, into: y) }
        pass.products.multiply(x, pass.factor(weight, .plain), into: y, part: part)
        if let bias { kernels.table.add_bias(y.base, bias, y.rows, y.columns) }
    }

    /// y = x Wᵀ
    func multiplyTransposed(
        _ x: MatrixView,
        _ weight: Weight,
        into y: MatrixView,
        part: Part = .linearInputGradient
    ) {
        pass.products.multiply(x, pass.factor(weight, .transposed), into: y, part: part)
    }

    /// Returns the dropout mask of these rows at a place in the model; nil for no dropout.
    func mask(_ site: Dropout.Site) -> Mask? {
        pass.mask(site, sequence: 0).map { Mask(dropout: $0, firstRow: range.lowerBound, length: pass.length) }
    }
}

/// The dropout mask of some rows of a chunk.
struct Mask {
    let dropout: dt_dropout
    /// The index of the first row in the chunk.
    let firstRow: Int
    /// The number of tokens in a sequence.
    let length: Int
}
