import Compute
import Transformer

/// Finds induction heads (Elhage et al., 2021; Olsson et al., 2022) with a sequence of P different random tokens,
/// repeated once.
///
/// At the second occurrence of a token, an induction head attends to the token that followed the first occurrence.
struct InductionProbe {
    /// 2P tokens: P different tokens, and the same tokens again.
    let tokens: [Int32]

    private static let maximumPeriod = 32

    /// - Parameter vocabulary: the ids to choose from.
    /// - Returns: nil if the block size is below 4 or the vocabulary has fewer than two tokens.
    init?(blockSize: Int, vocabulary: Range<Int32>, seed: UInt64) {
        let period = min(blockSize / 2, vocabulary.count, Self.maximumPeriod)
        guard period >= 2 else { return nil }
        let random = CounterRandom(seed: seed, stream: .test)
        var drawn: [Int32] = []
        var seen: Set<Int32> = []
        var index: UInt32 = 0
        while drawn.count < period {
            let token = vocabulary.lowerBound + Int32(random.integer(index, below: vocabulary.count))
            index += 1
            if seen.insert(token).inserted { drawn.append(token) }
        }
        tokens = drawn + drawn
    }

    /// The mean weight on position t - P + 1 over the rows t of the second half.
    static func score(_ pattern: AttentionMap) -> Double? {
        let period = pattern.length / 2
        return (period..<pattern.length).lazy.map { pattern[$0, $0 - period + 1] }.mean
    }

    /// The score of each head, indexed by layer and head.
    func scores(of model: GPT) -> [[Double?]] {
        model.attentionPatterns(tokens: tokens).map { $0.map(Self.score) }
    }
}
