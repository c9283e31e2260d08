import Compute

/// Layer normalization (Ba et al., 2016) of each row, a token's features:
///
/// ```
/// y = (x - mean(x)) / sqrt(variance(x) + 1e-5) * weight + bias
/// ```
/// Every token is brought to mean 0 and variance 1 by itself, then scaled feature by feature. With
/// n = (x - mean) * rstd and d = dy * weight: `dx = rstd * (d - mean(d) - n * mean(d * n))`,
/// `dweight += sum over rows of dy * n`, `dbias += sum over rows of dy`.
///
/// An experiment may take the mean out (RMSNorm: `y = x / sqrt(mean(x²) + 1e-5) * weight + bias`) or all of it (y = x).
struct LayerNorm {
    let weight: UnsafeMutablePointer<Float>
    let bias: UnsafeMutablePointer<Float>?
    let gradient: Gradient?
    var kind = GPTVariants.Norm.layernorm

    struct Gradient {
        let weight: UnsafeMutablePointer<Float>
        let bias: UnsafeMutablePointer<Float>?
    }

    /// What forward leaves for backward: the mean and the reciprocal standard deviation of each row.
    struct Statistics {
        let mean: UnsafeMutablePointer<Float>
        let rstd: UnsafeMutablePointer<Float>

        func from(row: Int) -> Statistics { Statistics(mean: mean + row, rstd: rstd + row) }
    }

    /// x, y: (rows, C).
    func forward(_ x: MatrixView, into y: MatrixView, _ statistics: Statistics) {
        if kind == .none { return y.base.update(from: x.base, count: x.rows * x.columns) }
        let normalize = kind == .rmsnorm ? Kernels.table.rms_norm_forward : Kernels.table.layer_norm_forward
        normalize!(
            y.base,
            statistics.mean,
            statistics.rstd,
            x.base,
            weight,
            bias,
            x.rows,
            x.columns
        )
    }

    /// `dx = skip + gradient of x through the normalization`; skip is the gradient that comes along the residual path.
    func backwardInput(
        _ dy: MatrixView,
        x: MatrixView,
        _ statistics: Statistics,
        skip: MatrixView?,
        into dx: MatrixView
    ) {
        if kind == .none {
            guard let skip else { return dx.base.update(from: dy.base, count: x.rows * x.columns) }
            return Kernels.table.residual_forward(dx.base, skip.base, dy.base, nil, x.rows, x.columns, nil, 0, 1)
        }
        let normalizeBackward = kind == .rmsnorm ? Kernels.table.rms_norm_backward : Kernels.table.layer_norm_backward
        normalizeBackward!(
            dx.base,
            skip?.base,
            dy.base,
            x.base,
            weight,
            statistics.mean,
            statistics.rstd,
            x.rows,
            x.columns
        )
    }

    /// The tasks that add this chunk's part to the gradients of weight and bias.
    func parameterTasks(_ dy: MatrixView, x: MatrixView, _ statistics: Statistics) -> [PhaseTask] {
        guard let gradient else { preconditionFailure("a model without gradients has no backward pass") }
        if kind == .none { return [] }
        return tiles(of: x.columns, size: 256).map { columns in
            { _ in
                Kernels.table.layer_norm_parameters(
                    gradient.weight,
                    gradient.bias,
                    dy.base,
                    x.base,
                    statistics.mean,
                    statistics.rstd,
                    x.rows,
                    x.columns,
                    columns.lowerBound,
                    columns.upperBound
                )
            }
        }
    }
}
