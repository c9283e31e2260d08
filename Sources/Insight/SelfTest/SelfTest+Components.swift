import Compute
import Platform
import Training
import Transformer

/// Checks of the parts: parameters, normalization, activation function, attention.
extension SelfTest {
    func parameterCount(_ model: GPT) -> SelfTestCheck {
        let (L, C) = (configuration.layerCount, configuration.embeddingSize)
        let (T, V) = (configuration.blockSize, configuration.vocabularySize)
        let norms = configuration.norm.kind == .none ? 0 : (2 * L + (configuration.norm.place == .pre ? 1 : 0)) * C
        let linear = L * 12 * C * C
        let biases = configuration.bias ? L * 9 * C + norms : 0
        let embeddings =
            (configuration.tiedHead ? 1 : 2) * V * C + (configuration.attention.positions == .learned ? T * C : 0)
        let expected = linear + biases + norms + embeddings
        return SelfTestCheck(
            name: "Parameters",
            statement:
                "Each of the L blocks has 12 C² weights (3 for q, k and v, 1 for the attention output, 8 in the MLP). The rest is embeddings, norms and biases.",
            numbers: "\(Numbers.grouped(model.layout.count)) parameters, \(Numbers.grouped(expected)) by the formula, "
                + "of which \(Numbers.grouped(embeddings)) in embeddings",
            passed: model.layout.count == expected
        )
    }

    func initialization(_ model: GPT) -> SelfTestCheck {
        let uniform = log(Double(configuration.vocabularySize))
        let loss = meanLoss(model)
        return SelfTestCheck(
            name: "Initialization",
            statement:
                "An untrained model gives all tokens about the same probability, so its loss is near ln V.",
            numbers:
                "loss \(Numbers.fixed(loss, 4)), ln \(configuration.vocabularySize) = \(Numbers.fixed(uniform, 4)), "
                + "limit: at most 10 % + 0.2 apart",
            passed: abs(loss - uniform) <= 0.1 * uniform + 0.2
        )
    }

    func layerNorm(_ model: GPT) -> SelfTestCheck {
        let width = configuration.embeddingSize
        let rows = 64
        let random = CounterRandom(seed: seed, stream: .test, item: 1)
        // Standard deviation 3 and a mean that differs between rows.
        let x = (0..<rows * width).map { index in
            Float(random.normalPair(UInt32(index)).0 * 3 + Double(index / width % 5) - 2)
        }
        let y = ComponentProbe(model).layerNorm(x, layer: 0)
        var (worstMean, worstDeviation) = (0.0, 0.0)
        for row in 0..<rows {
            let values = y[row * width..<(row + 1) * width].map(Double.init)
            let mean = values.reduce(0, +) / Double(width)
            let square = values.reduce(0) { $0 + $1 * $1 } / Double(width)
            let center = configuration.norm.kind == .layernorm ? mean : 0
            if configuration.norm.kind == .layernorm { worstMean = max(worstMean, abs(mean)) }
            worstDeviation = max(worstDeviation, abs((square - center * center).squareRoot() - 1))
        }
        // With very few features, the variance can be close to 0.
        let isNothing = configuration.norm.kind == .none || width < 4
        return SelfTestCheck(
            name: "LayerNorm",
            statement: isNothing
                ? "Not checked: this model has no norms, or fewer than 4 features."
                : "The features of each token have mean 0 and standard deviation 1. The batch plays no part.",
            numbers: isNothing
                ? "nothing to measure"
                : "\(rows) tokens: means at most \(Numbers.short(worstMean)) from 0 (limit 1e-5), standard deviations at most "
                    + "\(Numbers.short(worstDeviation)) from 1 (limit 1e-3)",
            passed: isNothing || (worstMean < 1e-5 && worstDeviation < 1e-3)
        )
    }

    func activation(_ model: GPT) -> SelfTestCheck {
        let x = (-800...800).map { Float($0) / 100 }
        let y = ComponentProbe(model).activation(x)
        func exact(_ x: Double) -> Double {
            switch configuration.activation {
            case .gelu: x * 0.5 * erfc(-x / 2.0.squareRoot())
            case .gelu_tanh: 0.5 * x * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
            case .relu: max(x, 0)
            case .relu_squared: max(x, 0) * max(x, 0)
            case .silu: x / (1 + exp(-x))
            }
        }
        let worst = zip(x, y).map { abs(Double($1) - exact(Double($0))) / max(1, abs(exact(Double($0)))) }.max()!
        return SelfTestCheck(
            name: "Activation",
            statement:
                "\(configuration.activation.rawValue) equals its formula in double precision, for inputs from -8 to 8.",
            numbers: "differs by at most \(Numbers.short(worst)), limit 1e-6",
            passed: worst < 1e-6
        )
    }

    func attentionWeights(_ model: GPT) -> SelfTestCheck {
        let heads = model.attentionWeights(tokens: Array(tokens.prefix(length))).joined()
        var (worstSum, future) = (0.0, 0.0)
        for weights in heads {
            for query in 0..<length {
                let row = weights[query * length..<(query + 1) * length]
                let off = abs(row.reduce(0) { $0 + Double($1) } - 1)
                worstSum = off.isNaN ? .infinity : max(worstSum, off)
                future += row.suffix(length - 1 - query).reduce(0) { $0 + Double($1) }
            }
        }
        let isCausal = configuration.ablations.causalMask || length < 2
        return SelfTestCheck(
            name: "Attention weights",
            statement: "Each row of softmax(q kᵀ / sqrt(D)) sums to 1, "
                + (isCausal
                    ? "and later positions have no weight."
                    : "and later positions have weight, because there is no mask."),
            numbers: "\(configuration.layerCount * configuration.headCount) heads: sums differ from 1 by at most "
                + "\(Numbers.short(worstSum)) (limit 1e-5), total weight on later positions \(Numbers.short(future))",
            passed: worstSum < 1e-5 && (isCausal ? future == 0 : future > 0)
        )
    }

    func causality(_ model: GPT) -> SelfTestCheck {
        let position = length / 2
        let (before, after) = (logits(model), logits(model, changing: position))
        let V = configuration.vocabularySize
        let earlier = largestDifference(before.prefix(position * V), after.prefix(position * V))
        let later = largestDifference(before.dropFirst(position * V), after.dropFirst(position * V))
        let isCausal = configuration.ablations.causalMask || position == 0
        // A vocabulary of one token offers no other token to try.
        return SelfTestCheck(
            name: "Causality",
            statement: isCausal
                ? "Changing the token at position \(position) leaves every bit of the earlier predictions unchanged."
                : "Without the mask, changing the token at position \(position) changes earlier predictions.",
            numbers:
                "earlier logits change by at most \(Numbers.short(earlier)), the others by at most \(Numbers.short(later))",
            passed: (isCausal ? earlier == 0 : earlier > 0) && (later > 0 || V == 1)
        )
    }

    func plainAttention(_ model: GPT) -> SelfTestCheck {
        var plain = configuration
        plain.ablations.attention = configuration.ablations.attention == .tiled ? .plain : .tiled
        let other = newModel(plain)
        let difference = largestDifference(logits(model), logits(other))
        return SelfTestCheck(
            name: "Tiled attention",
            statement: "Tiled attention and plain attention give the same results.",
            numbers: "logits differ by at most \(Numbers.short(difference)), limit 1e-4",
            passed: difference < 1e-4
        )
    }
}
