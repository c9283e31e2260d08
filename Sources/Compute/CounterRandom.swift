import Platform

/// What a random number is drawn for. Streams never share numbers, so adding a draw to one changes no other.
public enum RandomStream: UInt8, Sendable {
    case initialization = 1
    case dropout = 2
    case trainingBatches = 3
    case evaluationBatches = 4
    case sampling = 5
    case corpus = 6
    case test = 7
    case dataBlocks = 8
}

/// Random numbers by counter: a pure function of (seed, stream, site, step, item, index), with no state to save.
///
/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The seed is the key; the
/// 128-bit counter is `(index, item, step, site << 8 | stream)`. Every number can be computed by any thread or rank, in
/// any order, which is why a run repeats bit for bit and a resume needs no generator state.
public struct CounterRandom: Sendable {
    private let key: (UInt32, UInt32)
    private let high: (UInt32, UInt32, UInt32)

    /// - Parameters:
    ///   - site: where within a step the numbers are used (a layer's dropout, say); below 2^24.
    ///   - step: the training step, where one exists.
    ///   - item: the sequence, tensor or sample within the step.
    public init(seed: UInt64, stream: RandomStream, site: UInt32 = 0, step: UInt32 = 0, item: UInt32 = 0) {
        precondition(site < 1 << 24, "site \(site) does not fit 24 bits")
        key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        high = (item, step, site << 8 | UInt32(stream.rawValue))
    }

    /// The generator with these very key and upper counter words, for known answers.
    init(key: (UInt32, UInt32), high: (UInt32, UInt32, UInt32)) {
        self.key = key
        self.high = high
    }

    /// Four independent, uniformly distributed 32-bit words.
    @inlinable
    public func block(_ index: UInt32) -> SIMD4<UInt32> {
        var counter = (index, highWords.0, highWords.1, highWords.2)
        var (key0, key1) = keyWords
        for _ in 0..<10 {
            let first = UInt64(0xD251_1F53) * UInt64(counter.0)
            let second = UInt64(0xCD9E_8D57) * UInt64(counter.2)
            counter = (
                UInt32(truncatingIfNeeded: second >> 32) ^ counter.1 ^ key0,
                UInt32(truncatingIfNeeded: second),
                UInt32(truncatingIfNeeded: first >> 32) ^ counter.3 ^ key1,
                UInt32(truncatingIfNeeded: first)
            )
            key0 &+= 0x9E37_79B9
            key1 &+= 0xBB67_AE85
        }
        return SIMD4(counter.0, counter.1, counter.2, counter.3)
    }

    /// The three upper counter words `(item, step, site << 8 | stream)`, for vector loops that count the lowest themselves.
    public var highWords: (UInt32, UInt32, UInt32) { high }

    /// The two key words (the seed).
    public var keyWords: (UInt32, UInt32) { key }

    /// A uniform number in [0, 1) with 53 random bits.
    public func uniform(_ index: UInt32) -> Double {
        let words = block(index)
        return Double((UInt64(words.x) << 32 | UInt64(words.y)) >> 11) * 0x1p-53
    }

    /// Two independent standard normal numbers (Box and Muller, 1958).
    public func normalPair(_ index: UInt32) -> (Double, Double) {
        let words = block(index)
        // In (0, 1], so that the logarithm is finite.
        let first = (Double((UInt64(words.x) << 32 | UInt64(words.y)) >> 11) + 1) * 0x1p-53
        let second = Double((UInt64(words.z) << 32 | UInt64(words.w)) >> 11) * 0x1p-53
        let radius = (-2 * log(first)).squareRoot()
        let angle = 2 * Double.pi * second
        return (radius * cos(angle), radius * sin(angle))
    }

    /// A uniform integer in `0..<bound`; the bias of the multiplication method is below `bound / 2^64`.
    public func integer(_ index: UInt32, below bound: Int) -> Int {
        precondition(bound > 0, "an integer below \(bound) does not exist")
        let words = block(index)
        return Int((UInt64(words.x) << 32 | UInt64(words.y)).multipliedFullWidth(by: UInt64(bound)).high)
    }
}
