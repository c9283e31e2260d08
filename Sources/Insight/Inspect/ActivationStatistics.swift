import Transformer

/// How large the numbers are that pass through the layers.
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

    /// The units of a block's MLP, over all positions.
    struct Units: Equatable, Sendable {
        /// After the activation function.
        let spread: Spread
        /// The share of (position, unit) that is shut: below `Units.shut`, where nothing passes.
        let shut: Double
        /// The share that is wide open: above 3, where the function passes its input on as it is.
        let open: Double
        /// The share of units that are shut at every position.
        let dead: Double
    }

    /// The residual stream as the embedding makes it, then after each block; `norm` is the mean length of a position's vector.
    let residuals: [(spread: Spread, norm: Double)]
    let units: [Units]

    static func == (a: ActivationStatistics, b: ActivationStatistics) -> Bool {
        a.units == b.units && a.residuals.elementsEqual(b.residuals, by: ==)
    }

    /// Where a unit lets nothing through: ReLU from 0 down; GELU and SiLU where their value is less than 0.01 from 0.
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
