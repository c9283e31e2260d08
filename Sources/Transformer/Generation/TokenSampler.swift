import Compute
import Platform

/// How the next token is drawn from the model's logits.
public struct SamplingOptions: Equatable, Sendable {
    /// The divisor of the logits. Below 1 sharpens the distribution and above 1 flattens it; 0 always takes the
    /// likeliest token.
    public var temperature: Double
    /// Only the k likeliest tokens can be drawn (Fan et al., 2018); nil for all.
    public var topK: Int?
    /// Only the likeliest tokens that together reach this probability can be drawn (Holtzman et al., 2020); nil for
    /// all.
    public var topP: Double?
    /// The seed of the random numbers. Seed, sample and index of a token determine its random number.
    public var seed: UInt64
    /// The maximum number of tokens after the prompt.
    public var maxNewTokens: Int
    /// The number of ids that can be drawn. A padded vocabulary has more rows than the tokenizer has tokens.
    public var allowedVocabulary: Int
    /// The token that ends generation; it is not passed on. Nil for none.
    public var stopToken: Int32?

    /// Creates options. The defaults are those of nanoGPT's sample.py.
    public init(
        temperature: Double = 0.8,
        topK: Int? = 200,
        topP: Double? = nil,
        seed: UInt64 = 1337,
        maxNewTokens: Int = 500,
        allowedVocabulary: Int,
        stopToken: Int32? = nil
    ) {
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.seed = seed
        self.maxNewTokens = maxNewTokens
        self.allowedVocabulary = allowedVocabulary
        self.stopToken = stopToken
    }
}

/// Draws tokens from logits. The seed, the sample and the index determine each draw.
struct TokenSampler {
    let options: SamplingOptions
    let sample: Int

    /// Draws token number `index` from logits (V). Ties go to the smaller id, so that greedy decoding depends only on
    /// the logits.
    func draw(_ logits: UnsafeBufferPointer<Float>, index: Int) -> Int32 {
        let count = min(options.allowedVocabulary, logits.count)
        precondition(count > 0, "allowedVocabulary and the logits must have at least one token")
        if options.temperature == 0 || options.topK == 1 {
            return Int32((0..<count).reduce(0) { logits[$1] > logits[$0] ? $1 : $0 })
        }
        var candidates = candidates(logits, count: count)
        let largest = Double(candidates.reduce(-Float.infinity) { max($0, logits[$1]) })
        var weights = candidates.map { exp((Double(logits[$0]) - largest) / options.temperature) }
        var total = weights.reduce(0, +)
        if let topP = options.topP, topP < 1 {
            var reached = 0.0
            let needed = weights.firstIndex { weight in
                reached += weight
                return reached >= topP * total
            }
            let keep = (needed ?? weights.count - 1) + 1
            candidates.removeLast(candidates.count - keep)
            weights.removeLast(weights.count - keep)
            total = weights.reduce(0, +)
        }
        let random = CounterRandom(seed: options.seed, stream: .sampling, item: UInt32(truncatingIfNeeded: sample))
        var remaining = random.uniform(UInt32(truncatingIfNeeded: index)) * total
        for (candidate, weight) in zip(candidates, weights) {
            remaining -= weight
            if remaining < 0 { return Int32(candidate) }
        }
        return Int32(candidates[candidates.count - 1])
    }

    /// Returns the ids to draw from: the `topK` likeliest in order, all ids in order of likelihood if `topP` needs it,
    /// else all ids in order.
    private func candidates(_ logits: UnsafeBufferPointer<Float>, count: Int) -> [Int] {
        if let topK = options.topK, topK < count {
            return LikeliestTokens.first(topK, of: logits[..<count])
        }
        return (options.topP ?? 1) < 1 ? LikeliestTokens.first(count, of: logits[..<count]) : Array(0..<count)
    }
}
