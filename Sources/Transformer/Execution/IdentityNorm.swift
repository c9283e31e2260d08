import Compute

/// y = x, for places without normalization: the end of a post-norm model, and a model without norms.
struct IdentityNorm: Normalization {
    func forward(_ x: MatrixView, into y: MatrixView, _ rows: Rows) {
        y.base.update(from: x.base, count: x.rows * x.columns)
    }

    func backward(_ dy: MatrixView, x: MatrixView, skip: MatrixView?, into dx: MatrixView, _ rows: Rows) {
        guard let skip else { return dx.base.update(from: dy.base, count: x.rows * x.columns) }
        rows.kernels.addResidual(skip, dy, into: dx)
    }

    func gradientTasks(_ dy: MatrixView, x: MatrixView, _ pass: Pass) -> [PhaseTask] { [] }
}
