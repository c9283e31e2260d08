import ReferenceGPT
import Testing

/// A reproducible sequence of numbers for test inputs (SplitMix64).
struct TestNumbers {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// Returns `count` numbers, uniformly distributed in `-scale...scale`.
    mutating func values(_ count: Int, scale: Double = 1) -> [Double] {
        (0..<count).map { _ in (Double(next() >> 11) * 0x1p-52 - 1) * scale }
    }

    mutating func tokens(_ count: Int, vocabularySize: Int) -> [Int] {
        (0..<count).map { _ in Int(next() % UInt64(vocabularySize)) }
    }
}

/// One of six kinds of model: an activation function, with or without biases.
struct ModelKind: CustomTestStringConvertible, Sendable {
    let activation: ReferenceActivation
    let bias: Bool

    var testDescription: String { "\(activation)\(bias ? " with bias" : "")" }

    static let all = ReferenceActivation.allCases.flatMap { activation in
        [false, true].map { ModelKind(activation: activation, bias: $0) }
    }

    /// Creates a model with two layers, two heads and four features, which is small enough to test every parameter.
    func model(seed: UInt64 = 1) -> ReferenceGPT {
        var configuration = ReferenceConfiguration()
        configuration.embeddingSize = 4
        configuration.blockSize = 5
        configuration.vocabularySize = 7
        configuration.bias = bias
        configuration.activation = activation
        var model = ReferenceGPT(configuration)
        var numbers = TestNumbers(seed: seed)
        model.parameters = numbers.values(model.parameters.count)
        return model
    }
}

/// Returns the derivative of `f` with respect to every element of `x`, by central differences. Their error is of order
/// step².
func finiteDifferences(_ x: [Double], step: Double = 1e-5, _ f: ([Double]) -> Double) -> [Double] {
    x.indices.map { i in
        var (above, below) = (x, x)
        above[i] += step
        below[i] -= step
        return (f(above) - f(below)) / (2 * step)
    }
}

func distance(_ a: [Double], _ b: [Double]) -> Double {
    precondition(a.count == b.count, "cannot compare \(a.count) numbers with \(b.count)")
    return zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }.squareRoot()
}

func norm(_ a: [Double]) -> Double { distance(a, a.map { _ in 0 }) }

func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
