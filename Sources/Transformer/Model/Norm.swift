import Compute

/// Normalizes each row of activations (the features of one token) separately.
protocol Normalization {
    /// y = norm(x); x and y are (rows, C).
    func forward(_ x: MatrixView, into y: MatrixView, _ rows: Rows)
    /// dx = skip + the gradient of x through the norm. `skip` is the gradient from the residual connection.
    func backward(_ dy: MatrixView, x: MatrixView, skip: MatrixView?, into dx: MatrixView, _ rows: Rows)
    /// Returns the tasks that add the gradients of the norm's parameters, summed over all rows of the chunk.
    func gradientTasks(_ dy: MatrixView, x: MatrixView, _ pass: Pass) -> [PhaseTask]
}

/// LayerNorm (Ba et al., 2016), or RMSNorm, which does not subtract the mean (Zhang and Sennrich, 2019):
///
/// ```
/// LayerNorm: y = (x - mean(x)) / sqrt(variance(x) + ε) * weight + bias
/// RMSNorm:   y = x / sqrt(mean(x²) + ε) * weight + bias
/// ```
/// With n = (x - mean) * rstd and d = dy * weight:
///
/// ```
/// dx = rstd * (d - mean(d) - n * mean(d * n))          RMSNorm: without mean(d)
/// dweight += sum over rows of dy * n                   dbias += sum over rows of dy
/// ```
struct LayerNorm: Normalization {
    private let isRMS: Bool
    private let epsilon: Float
    private let weight: Parameter
    private let bias: Parameter?
    private let mean, rstd: Slot  // (R, 1), kept for backward

    init(_ name: String, _ configuration: GPTConfiguration, _ declare: inout Declarations) {
        let (C, bias) = (configuration.embeddingSize, configuration.bias)
        (isRMS, epsilon) = (configuration.norm.kind == .rmsnorm, configuration.norm.epsilon)
        weight = declare.parameter("\(name).weight", [C], .vector, .constant(1))
        self.bias = bias ? declare.parameter("\(name).bias", [C], .vector, .constant(0)) : nil
        mean = declare.slot("\(name).mean", columns: 1, .layer)
        rstd = declare.slot("\(name).rstd", columns: 1, .layer)
    }

    func forward(_ x: MatrixView, into y: MatrixView, _ rows: Rows) {
        let kernels = rows.kernels.table
        let (weight, bias) = (rows.values(weight), bias.map(rows.values))
        let forward = isRMS ? kernels.rms_norm_forward! : kernels.layer_norm_forward!
        forward(y.base, rows[mean].base, rows[rstd].base, x.base, weight, bias, x.rows, x.columns, epsilon)
    }

    func backward(_ dy: MatrixView, x: MatrixView, skip: MatrixView?, into dx: MatrixView, _ rows: Rows) {
        let kernels = rows.kernels.table
        let (weight, mean, rstd) = (rows.values(weight), rows[mean].base, rows[rstd].base)
        let backward = isRMS ? kernels.rms_norm_backward! : kernels.layer_norm_backward!
        backward(dx.base, skip?.base, dy.base, x.base, weight, mean, rstd, x.rows, x.columns)
    }

    func gradientTasks(_ dy: MatrixView, x: MatrixView, _ pass: Pass) -> [PhaseTask] {
        let (dw, db) = (pass.gradient(weight), bias.map(pass.gradient))
        let (mean, rstd, R, C) = (pass[mean].base, pass[rstd].base, x.rows, x.columns)
        return tiles(of: C, size: 256).map { part in
            { _ in
                let add = pass.kernels.table.layer_norm_parameters!
                add(dw, db, dy.base, x.base, mean, rstd, R, C, part.lowerBound, part.upperBound)
            }
        }
    }
}
