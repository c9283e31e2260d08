import Compute
import Platform
import Training
import Transformer

/// The parts by themselves: parameters, normalization, nonlinearity, attention.
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
                "12 C² in each of L blocks (3 to make q, k and v, 1 to bring heads together, 8 in the MLP), and the embeddings.",
            numbers: "\(Numbers.grouped(model.layout.count)) there, \(Numbers.grouped(expected)) by the formula, "
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
                "A model that has learned nothing finds every token about equally likely: its loss is near ln V.",
            numbers:
                "loss \(Numbers.fixed(loss, 4)), ln \(configuration.vocabularySize) = \(Numbers.fixed(uniform, 4)), "
                + "limit 10 % of it and 0.2",
            passed: abs(loss - uniform) <= 0.1 * uniform + 0.2
        )
    }

    func layerNorm(_ model: GPT) -> SelfTestCheck {
        let width = configuration.embeddingSize
        let rows = 64
        let random = CounterRandom(seed: seed, stream: .test, item: 1)
        // Far from mean 0 and variance 1, and each row at another place.
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
        // Two features or fewer have hardly a variance of their own.
        let isNothing = configuration.norm.kind == .none || width < 4
        return SelfTestCheck(
            name: "LayerNorm",
            statement: isNothing
                ? "There is none in this model (or too few features to speak of)."
                : "Over the features of each token by itself: mean 0, standard deviation 1 (not over the batch).",
            numbers: isNothing
                ? "nothing to measure"
                : "of \(rows) tokens, mean at most \(Numbers.short(worstMean)), deviation from 1 at most "
                    + "\(Numbers.short(worstDeviation)); limits 1e-5 and 1e-3",
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
            statement: "\(configuration.activation.rawValue), as its formula has it in double precision, from -8 to 8.",
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
                    ? "and nothing above the diagonal has any weight."
                    : "and without the mask later positions have weight too."),
            numbers: "\(configuration.layerCount * configuration.headCount) heads: sums differ from 1 by at most "
                + "\(Numbers.short(worstSum)) (limit 1e-5), weight on later positions \(Numbers.short(future))",
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
        // With one token there is nothing to tell apart, and with ablated heads or windows all the same rule.
        return SelfTestCheck(
            name: "Causality",
            statement: isCausal
                ? "Another token at position \(position) changes no prediction before it, to the last bit."
                : "Without the mask, another token at position \(position) changes predictions before it.",
            numbers: "logits before it change by \(Numbers.short(earlier)), from there on by \(Numbers.short(later))",
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
            statement: "In tiles or with all scores at once, attention is the same function.",
            numbers: "logits differ by at most \(Numbers.short(difference)), limit 1e-4",
            passed: difference < 1e-4
        )
    }
}
