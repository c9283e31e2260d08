import Compute

/// A linear layer: `y = x W + b`, x (rows, in), W (in, out), b (out) if the model has biases.
///
/// ```
/// dx = dy Wᵀ        dW += xᵀ dy        db += sum over rows of dy
/// ```
/// The first is computed row by row with the rest of the backward pass; the other two sum over the rows of a whole chunk
/// and are cut into tiles of columns, so that workers never share an output.
struct Linear {
    let weight: MatrixView
    let bias: UnsafeMutablePointer<Float>?
    let gradient: Gradient?

    struct Gradient {
        let weight: MatrixView
        let bias: UnsafeMutablePointer<Float>?
    }

    /// y = x W, and the bias unless the next operation adds it.
    func forward(_ x: MatrixView, into y: MatrixView, addingBias: Bool = true) {
        MatrixProduct.multiply(x, .plain, weight, .plain, into: y)
        if addingBias, let bias { Kernels.table.add_bias(y.base, bias, y.rows, y.columns) }
    }

    /// dx = dy Wᵀ
    func backwardInput(_ dy: MatrixView, into dx: MatrixView) {
        MatrixProduct.multiply(dy, .plain, weight, .transposed, into: dx)
    }

    /// The tasks that add this chunk's part to the gradients of W and b; x (R, in), dy (R, out).
    func parameterTasks(_ x: MatrixView, _ dy: MatrixView) -> [PhaseTask] {
        guard let gradient else { preconditionFailure("a model without gradients has no backward pass") }
        return columnTiles().map { columns in
            { _ in
                MatrixProduct.multiply(
                    x,
                    .transposed,
                    dy.columns(columns),
                    .plain,
                    into: gradient.weight.columns(columns),
                    keep: 1
                )
                if let bias = gradient.bias {
                    Kernels.table.column_sums(bias, dy.base, dy.rows, dy.stride, columns.lowerBound, columns.upperBound)
                }
            }
        }
    }

    /// Tiles of at least 256 columns, and more where W has few rows: OpenBLAS packs x again for each tile.
    private func columnTiles() -> [Range<Int>] {
        let width = max(256, (131_072 / weight.rows) / 64 * 64)
        return tiles(of: weight.columns, size: width)
    }
}

/// A piece of work of one phase; the argument is the worker's number.
typealias PhaseTask = (_ worker: Int) -> Void

extension WorkerPool {
    /// Runs independent tasks of different kinds as one phase.
    func run(_ tasks: [PhaseTask]) {
        run(tasks.count) { task, worker in tasks[task](worker) }
    }
}

/// `0..<count` cut into ranges of `size`, the last one shorter if need be.
func tiles(of count: Int, size: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
}
