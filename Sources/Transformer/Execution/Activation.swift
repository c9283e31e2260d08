import CVectorKernels
import Compute

/// The nonlinearity f of a feed-forward layer. The raw values are those of options and files.
public enum Activation: String, Sendable, Codable, CaseIterable {
    /// `x * Φ(x)`, the exact form by the error function: nanoGPT's.
    case gelu
    /// The tanh approximation of GELU: OpenAI's GPT-2 (`gelu_new` in Hugging Face's names).
    case gelu_tanh
    /// `max(x, 0)`.
    case relu
    /// `max(x, 0)²` (So et al., "Primer", 2021).
    case relu_squared
    /// `x σ(x)` (Hendrycks and Gimpel, 2016).
    case silu
}

extension Activation {
    /// y = f(x) for `count` elements; y may be x.
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

    /// dx holds dy and becomes dy * f'(x); y becomes f(x).
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
    /// Columns of h: F, or 2F for a gate and what it lets pass.
    var hiddenColumns: Int { form == .gated ? 2 * hiddenSize : hiddenSize }

    /// a = f(h), or f(g) * u with [g u] = h; a may be h where nothing is gated.
    func activate(_ h: MatrixView, into a: MatrixView, _ kernels: Kernels) {
        let F = hiddenSize
        guard form == .gated else { return activation.apply(h.base, into: a.base, count: h.rows * F, kernels) }
        for row in 0..<h.rows {
            let (g, a) = (h.row(row), a.row(row))
            activation.apply(g, into: a, count: F, kernels)
            for unit in 0..<F { a[unit] *= g[F + unit] }
        }
    }

    /// dh from h and da; a becomes what `activate` computes. da stands in dh where nothing is gated, else in a.
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
