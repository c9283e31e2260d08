import CVectorKernels
import Compute

/// The activation function f of a feed-forward sublayer. Options and files use the raw values.
public enum Activation: String, Sendable, Codable, CaseIterable {
    /// `x * Φ(x)`, the exact form with the error function, as in nanoGPT.
    case gelu
    /// The tanh approximation of GELU, as in OpenAI's GPT-2 (`gelu_new` in Hugging Face's names).
    case gelu_tanh
    /// `max(x, 0)`.
    case relu
    /// `max(x, 0)²` (So et al., "Primer", 2021).
    case relu_squared
    /// `x σ(x)` (Hendrycks and Gimpel, 2016).
    case silu
}

extension Activation {
    /// y = f(x) for `count` elements; y and x may be the same memory.
    func apply(
        _ x: UnsafeMutablePointer<Float>,
        into y: UnsafeMutablePointer<Float>,
        count: Int,
        _ kernels: Kernels
    ) {
        switch self {
        case .gelu: kernels.table.gelu_forward(y, x, count)
        case .gelu_tanh: kernels.table.gelu_tanh_forward(y, x, count)
        case .relu: kernels.table.relu_forward(y, x, count)
        case .relu_squared: kernels.table.relu_squared_forward(y, x, count)
        case .silu: kernels.table.silu_forward(y, x, count)
        }
    }

    /// On entry dx holds dy. On return dx holds dy * f'(x) and y holds f(x).
    func applyBackward(
        _ dx: UnsafeMutablePointer<Float>,
        _ y: UnsafeMutablePointer<Float>,
        _ x: UnsafeMutablePointer<Float>,
        count: Int,
        _ kernels: Kernels
    ) {
        switch self {
        case .gelu: kernels.table.gelu_backward(dx, y, x, count)
        case .gelu_tanh: kernels.table.gelu_tanh_backward(dx, y, x, count)
        case .relu: kernels.table.relu_backward(dx, y, x, count)
        case .relu_squared: kernels.table.relu_squared_backward(dx, y, x, count)
        case .silu: kernels.table.silu_backward(dx, y, x, count)
        }
    }
}

extension GPTConfiguration.FeedForward {
    /// The number of columns of h: F, or 2F if gated.
    var hiddenColumns: Int { form == .gated ? 2 * hiddenSize : hiddenSize }

    /// a = f(h), or f(g) * u with [g u] = h. Without a gate, a and h may be the same memory.
    func activate(_ h: MatrixView, into a: MatrixView, _ kernels: Kernels) {
        let F = hiddenSize
        guard form == .gated else { return activation.apply(h.base, into: a.base, count: h.rows * F, kernels) }
        for row in 0..<h.rows {
            let (g, a) = (h.row(row), a.row(row))
            activation.apply(g, into: a, count: F, kernels)
            for unit in 0..<F { a[unit] *= g[F + unit] }
        }
    }

    /// Computes dh from h and da, and a as `activate` does. On entry da is in dh, or in a if gated.
    func activateBackward(_ dh: MatrixView, _ a: MatrixView, _ h: MatrixView, _ kernels: Kernels) {
        let F = hiddenSize
        guard form == .gated else {
            return activation.applyBackward(dh.base, a.base, h.base, count: h.rows * F, kernels)
        }
        for row in 0..<h.rows {
            let (g, a, dg) = (h.row(row), a.row(row), dh.row(row))
            let (u, du) = (g + F, dg + F)
            for unit in 0..<F {
                du[unit] = a[unit]
                dg[unit] = a[unit] * u[unit]
            }
            activation.applyBackward(dg, a, g, count: F, kernels)
            for unit in 0..<F {
                du[unit] *= a[unit]
                a[unit] *= u[unit]
            }
        }
    }
}
