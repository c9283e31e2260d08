import Compute

/// A linear layer: `y = x W + b` with x (rows, in), W (in, out), and b (out) if the model has biases.
///
/// ```
/// dx = dy Wᵀ        dW += xᵀ dy        db += sum over rows of dy
/// ```
/// The backward pass computes dx row by row. dW and db are sums over the rows of a whole chunk. They are computed in tiles of W's
/// gradient, so that no two workers write the same output.
struct Linear {
    let weight: Weight
    let bias: Parameter?

    init(_ name: String, _ shape: (Int, Int), bias: Bool, deviation: Double = 0.02, _ declare: inout Declarations) {
        weight = declare.weight("\(name).weight", [shape.0, shape.1], .normal(deviation: deviation))
        self.bias = bias ? declare.parameter("\(name).bias", [shape.1], .vector, .constant(0)) : nil
    }

    /// y = x W + b. `addingBias` is false if the residual connection adds b.
    func forward(_ x: MatrixView, into y: MatrixView, addingBias: Bool = true, _ rows: Rows) {
        rows.multiply(x, weight, bias: addingBias ? bias : nil, into: y)
    }

    /// dx = dy Wᵀ
    func backward(_ dy: MatrixView, into dx: MatrixView, _ rows: Rows) {
        rows.multiplyTransposed(dy, weight, into: dx)
    }

    /// Returns the tasks that add this chunk's gradients of W and b; x (R, in), dy (R, out).
    func gradientTasks(_ x: MatrixView, _ dy: MatrixView, _ pass: Pass) -> [PhaseTask] {
        let (dW, db) = (pass.gradientMatrix(weight.parameter), bias.map(pass.gradient))
        let (rowTiles, columnTiles) = pass.gradientTiles(rows: x.columns, columns: dy.columns)
        return columnTiles.flatMap { columns in
            rowTiles.map { rows in
                { _ in
                    let tile = dW.rows(rows).columns(columns)
                    pass.addProduct(x.columns(rows), dy.columns(columns), to: tile, .linearWeightGradient)
                    if rows.lowerBound == 0, let db { pass.kernels.addColumnSums(dy, columns, to: db) }
                }
            }
        }
    }
}
