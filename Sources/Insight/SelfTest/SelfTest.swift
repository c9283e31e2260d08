import Compute
import Formats
import Training
import Transformer

/// One statement about the model and what was measured of it.
package struct SelfTestCheck: Equatable, Sendable {
    /// The part of the model, such as `LayerNorm`.
    package let name: String
    /// What is true if it passes, and why it has to be.
    package let statement: String
    /// What was seen, with the limit.
    package let numbers: String
    /// Whether the numbers keep to the limit.
    package let passed: Bool

    /// `ok    LayerNorm: …`
    package var lines: [String] {
        ["\(passed ? "ok  " : "FAIL")  \(name): \(statement)", "      \(numbers)"]
    }

    /// One object: `name`, `statement`, `numbers`, `passed`.
    package var json: JSONValue {
        .object([
            .init("name", .string(name)), .init("statement", .string(statement)), .init("numbers", .string(numbers)),
            .init("passed", .bool(passed)),
        ])
    }
}

/// A tour through the model's parts on a configuration of the user's: what each must do, and whether it does.
///
/// The model is a new one, with random tokens in place of text; two short sequences are enough for every check, so that a
/// large model is tried in seconds.
package struct SelfTest {
    private(set) var configuration: GPTConfiguration
    let pool: WorkerPool
    let seed: UInt64
    /// Changes the model before it is looked at; for tests of this test.
    let change: (GPT) -> Void

    /// Tokens of a sequence, and sequences.
    let length: Int
    let batch = 2
    let tokens, targets: [Int32]

    /// - Parameter configuration: dropout is left out, which has no place in a check of equality.
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

    /// Every check, in the order in which data pass through the model; `report` hears of each as it is done.
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

    /// The gradient of the mean loss over all tokens, in `model.gradients`.
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

    /// Of the first sequence, row by row.
    func logits(_ model: GPT, changing position: Int? = nil) -> [Float] {
        var first = Array(tokens.prefix(length))
        if let position { first[position] = (first[position] + 1) % Int32(configuration.vocabularySize) }
        return model.logits(tokens: first)
    }

    func largestDifference(_ a: some Sequence<Float>, _ b: some Sequence<Float>) -> Double {
        // A NaN counts as infinitely far.
        zip(a, b).reduce(0) { worst, pair in
            let difference = Double(abs(pair.0 - pair.1))
            return difference.isNaN ? .infinity : max(worst, difference)
        }
    }
}
