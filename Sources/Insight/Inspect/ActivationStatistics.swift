import Transformer

/// The size of the activations in each layer.
struct ActivationStatistics: Equatable, Sendable {
    struct Spread: Equatable, Sendable {
        let mean: Double
        let deviation: Double

        init(_ values: [Float]) {
            let mean = values.lazy.map { Double($0) }.mean ?? 0
            self.mean = mean
            let variance = values.lazy.map { (Double($0) - mean) * (Double($0) - mean) }.mean
            deviation = (variance ?? 0).squareRoot()
        }
    }

    /// Statistics of the hidden units of one block's MLP over all positions.
    struct Units: Equatable, Sendable {
        /// Of the values after the activation function.
        let spread: Spread
        /// The share of (position, unit) pairs whose input is at most `shut(_:)`, where the output is zero or nearly
        /// zero.
        let shut: Double
        /// The share of pairs whose input is at least 3, where the activation function is nearly the identity.
        let open: Double
        /// The share of units that are shut at every position.
        let dead: Double
    }

    /// The residual stream after the embedding and after each block. `norm` is the mean Euclidean norm of a position's
    /// vector.
    let residuals: [(spread: Spread, norm: Double)]
    let units: [Units]

    static func == (a: ActivationStatistics, b: ActivationStatistics) -> Bool {
        a.units == b.units && a.residuals.elementsEqual(b.residuals, by: ==)
    }

    /// The input up to which a unit counts as shut: 0 for ReLU; for GELU and SiLU an input below which the output is
    /// within 0.01 of zero.
    static func shut(_ activation: Activation) -> Float {
        switch activation {
        case .relu, .relu_squared: 0
        case .gelu, .gelu_tanh: -3
        case .silu: -7
        }
    }
    static let open: Float = 3

    init(_ activations: Activations, configuration: GPTConfiguration) {
        let width = configuration.embeddingSize
        residuals = activations.residuals.map { values in
            let norms = stride(from: 0, to: values.count, by: width).lazy.map { start in
                values[start..<start + width].reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
            }
            return (Spread(values), norms.mean ?? 0)
        }
        let rows = activations.residuals[0].count / width
        let shut = Self.shut(configuration.activation)
        units = zip(activations.hidden, activations.activated).map { hidden, activated in
            let count = hidden.count / rows
            let dead = (0..<count).count { unit in
                (0..<rows).allSatisfy { hidden[$0 * count + unit] <= shut }
            }
            return Units(
                spread: Spread(activated),
                shut: Double(hidden.count { $0 <= shut }) / Double(hidden.count),
                open: Double(hidden.count { $0 >= Self.open }) / Double(hidden.count),
                dead: Double(dead) / Double(count)
            )
        }
    }
}
