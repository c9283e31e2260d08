import Compute

/// The feed-forward half of a block, for each token alone: `y = f(x W_fc + b_fc) W_proj + b_proj`, C to 4C to C.
///
/// Forward keeps only h = x W_fc + b_fc; backward makes f(h) again beside f'(h), which is cheaper than storing 4C more
/// floats a token.
struct MLP {
    let fullyConnected: Linear
    let projection: Linear
    let activation: Activation

    /// x (rows, C) to y (rows, C), without the projection's bias: the residual connection adds it.
    /// `hidden` (rows, 4C) receives h for backward, `activated` (rows, 4C) is scratch.
    func forward(
        _ x: MatrixView,
        _ weights: PackedWeights,
        hidden: MatrixView,
        activated: MatrixView,
        into y: MatrixView
    ) {
        fullyConnected.forward(x, packed: weights.fullyConnected, into: hidden)
        activate(hidden, into: activated)
        projection.forward(activated, packed: weights.mlpProjection, into: y, addingBias: false)
    }

    /// y = f(h), element by element; y may be h.
    func activate(_ h: MatrixView, into y: MatrixView) {
        let count = h.rows * h.columns
        switch activation {
        case .gelu: Kernels.table.gelu_forward(y.base, h.base, count)
        case .gelu_tanh: Kernels.table.gelu_tanh_forward(y.base, h.base, count)
        case .relu: Kernels.table.relu_forward(y.base, h.base, count)
        case .relu_squared: Kernels.table.relu_squared_forward(y.base, h.base, count)
        case .silu: Kernels.table.silu_forward(y.base, h.base, count)
        }
    }

    /// From dy (rows, C): `dHidden = (dy W_projᵀ) * f'(h)`, `activated = f(h)`, `dx = dHidden W_fcᵀ`.
    func backward(
        _ dy: MatrixView,
        _ weights: PackedWeights,
        hidden: MatrixView,
        activated: MatrixView,
        dHidden: MatrixView,
        into dx: MatrixView
    ) {
        projection.backwardInput(dy, packed: weights.mlpProjection, into: dHidden)
        let count = hidden.rows * hidden.columns
        switch activation {
        case .gelu: Kernels.table.gelu_backward(dHidden.base, activated.base, hidden.base, count)
        case .gelu_tanh: Kernels.table.gelu_tanh_backward(dHidden.base, activated.base, hidden.base, count)
        case .relu: Kernels.table.relu_backward(dHidden.base, activated.base, hidden.base, count)
        case .relu_squared: Kernels.table.relu_squared_backward(dHidden.base, activated.base, hidden.base, count)
        case .silu: Kernels.table.silu_backward(dHidden.base, activated.base, hidden.base, count)
        }
        fullyConnected.backwardInput(dHidden, packed: weights.fullyConnected, into: dx)
    }
}
