import Compute

/// A linear layer: `y = x W + b`, x (rows, in), W (in, out), b (out) if the model has biases.
///
/// ```
/// dx = dy Wᵀ        dW += xᵀ dy        db += sum over rows of dy
/// ```
/// The first is computed row by row with the rest of the backward pass; the other two sum over the rows of a whole chunk
/// and are cut into tiles of W's gradient, so that workers never share an output.
struct Linear {
    let weight: MatrixView
    let bias: UnsafeMutablePointer<Float>?
    let gradient: Gradient?

    struct Gradient {
        let weight: MatrixView
        let bias: UnsafeMutablePointer<Float>?
    }

    /// Floats of memory to pack W in, either way round.
    static func packedCount(rows: Int, columns: Int) -> Int {
        max(PackedMatrix.count(depth: rows, columns: columns), PackedMatrix.count(depth: columns, columns: rows))
    }

    /// The tasks that pack W for `forward` (plain) or for `backwardInput` (transposed).
    func packingTasks(_ orientation: Orientation, in memory: UnsafeMutablePointer<Float>) -> [PhaseTask] {
        let packed = PackedMatrix(weight, orientation, in: memory)
        return packed.pieces.map { piece in { _ in packed.pack(piece) } }
    }

    /// y = x W, and the bias unless the next operation adds it; `packed`: where W has been packed.
    func forward(
        _ x: MatrixView,
        packed: UnsafeMutablePointer<Float>,
        into y: MatrixView,
        addingBias: Bool = true
    ) {
        MatrixProduct.multiply(x, PackedMatrix(weight, .plain, in: packed), into: y, part: .linearForward)
        if addingBias, let bias { Kernels.table.add_bias(y.base, bias, y.rows, y.columns) }
    }

    /// dx = dy Wᵀ
    func backwardInput(_ dy: MatrixView, packed: UnsafeMutablePointer<Float>, into dx: MatrixView) {
        let transposed = PackedMatrix(weight, .transposed, in: packed)
        MatrixProduct.multiply(dy, transposed, into: dx, part: .linearInputGradient)
    }

    /// The tasks that add this chunk's part to the gradients of W and b; x (R, in), dy (R, out).
    func parameterTasks(_ x: MatrixView, _ dy: MatrixView, workers: Int) -> [PhaseTask] {
        guard let gradient else { preconditionFailure("a model without gradients has no backward pass") }
        let (rowTiles, columnTiles) = gradientTiles(workers: workers)
        return columnTiles.flatMap { columns in
            rowTiles.map { rows in
                { _ in
                    MatrixProduct.multiply(
                        x.columns(rows),
                        .transposed,
                        dy.columns(columns),
                        .plain,
                        into: gradient.weight.rows(rows).columns(columns),
                        keep: 1,
                        part: .linearWeightGradient
                    )
                    if rows.lowerBound == 0, let bias = gradient.bias {
                        Kernels.table.column_sums(
                            bias,
                            dy.base,
                            dy.rows,
                            dy.stride,
                            columns.lowerBound,
                            columns.upperBound
                        )
                    }
                }
            }
        }
    }

    /// Tiles of W's gradient. Large ones pack x and dy less often; with many workers they are smaller. BLAS gets tiles
    /// that do not depend on the workers: at least 256 columns, and more where W has few rows.
    private func gradientTiles(workers: Int) -> (rows: [Range<Int>], columns: [Range<Int>]) {
        guard MatrixProduct.implementation == .own else {
            let width = max(256, (131_072 / weight.rows) / 64 * 64)
            return ([0..<weight.rows], tiles(of: weight.columns, size: width))
        }
        let (height, width) = workers <= 4 ? (384, 512) : workers <= 12 ? (192, 256) : (96, 128)
        return (evenTiles(of: weight.rows, atMost: height), evenTiles(of: weight.columns, atMost: width))
    }
}
