import Compute
import Formats
import Training
import Transformer

/// The result of one check of the model.
package struct SelfTestCheck: Equatable, Sendable {
    /// The part of the model, such as `LayerNorm`.
    package let name: String
    /// What a correct model does, and why.
    package let statement: String
    /// The measured values and their limits.
    package let numbers: String
    /// Whether the values are within their limits.
    package let passed: Bool

    /// Two lines for the terminal; the first starts with `ok    LayerNorm: `.
    package var lines: [String] {
        ["\(passed ? "ok  " : "FAIL")  \(name): \(statement)", "      \(numbers)"]
    }

    package var json: JSONValue {
        .object([
            .init("name", .string(name)), .init("statement", .string(statement)), .init("numbers", .string(numbers)),
            .init("passed", .bool(passed)),
        ])
    }
}

/// Checks each part of a model with a given configuration.
///
/// The model is freshly initialized and the text is random tokens. Every check uses two short sequences, so a large
/// model takes seconds.
package struct SelfTest {
    private(set) var configuration: GPTConfiguration
    let pool: WorkerPool
    let seed: UInt64
    /// Changes the model before the checks. Tests use it to damage the model.
    let change: (GPT) -> Void

    /// The number of tokens per sequence.
    let length: Int
    /// The number of sequences.
    let batch = 2
    /// (batch, length), row-major.
    let tokens, targets: [Int32]

    /// - Parameter configuration: dropout is set to 0, because the checks compare results.
    package init(
        _ configuration: GPTConfiguration,
        pool: WorkerPool,
        seed: Int = 1337,
        change: @escaping (GPT) -> Void = { _ in }
    ) {
        self.configuration = configuration
        self.configuration.dropout = 0
        self.pool = pool
        self.seed = UInt64(seed)
        self.change = change
        length = min(configuration.blockSize, 48)
        let random = CounterRandom(seed: UInt64(seed), stream: .test)
        let ids = (0...batch * length).map { Int32(random.integer(UInt32($0), below: configuration.vocabularySize)) }
        tokens = Array(ids.dropLast())
        targets = Array(ids.dropFirst())
    }

    /// Runs every check, in the order in which data passes through the model, and calls `report` after each.
    @discardableResult
    package func run(_ report: (SelfTestCheck) -> Void = { _ in }) -> [SelfTestCheck] {
        let model = newModel()
        var checks: [SelfTestCheck] = []
        for check in [
            parameterCount, initialization, layerNorm, activation, attentionWeights, causality, plainAttention, loss,
            gradientsReach,
            tying, finiteDifferences, threads, generation, learning,
        ] {
            let result = check(model)
            checks.append(result)
            report(result)
        }
        return checks
    }

    func newModel(_ configuration: GPTConfiguration? = nil, pool: WorkerPool? = nil) -> GPT {
        let model = GPT(
            configuration: configuration ?? self.configuration,
            context: ComputeContext(pool: pool ?? self.pool)
        )
        model.initializeParameters(seed: seed)
        change(model)
        return model
    }

    /// Computes the gradient of the mean loss over all tokens into `model.gradients`.
    func computeGradients(_ model: GPT) {
        model.zeroGradients()
        _ = model.forwardBackward(
            tokens: tokens,
            targets: targets,
            sequenceLength: length,
            gradientScale: 1 / Float(tokens.count),
            dropout: nil
        )
    }

    func meanLoss(_ model: GPT) -> Double {
        model.loss(tokens: tokens, targets: targets, sequenceLength: length) / Double(tokens.count)
    }

    /// The logits of the first sequence, (length, V), after an optional change of the token at `position`.
    func logits(_ model: GPT, changing position: Int? = nil) -> [Float] {
        var first = Array(tokens.prefix(length))
        if let position { first[position] = (first[position] + 1) % Int32(configuration.vocabularySize) }
        return model.logits(tokens: first)
    }

    func largestDifference(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Double {
        // NaN counts as an infinite difference.
        zip(a, b).reduce(0) { worst, pair in
            let difference = Double(abs(pair.0 - pair.1))
            return difference.isNaN ? .infinity : max(worst, difference)
        }
    }
}
