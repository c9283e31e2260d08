import Platform

/// The purpose of a random number. Streams never share numbers, so drawing more from one stream does not change
/// another.
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

/// Counter-based random numbers: a pure function of (seed, stream, site, step, item, index), without state to save.
///
/// The generator is Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). The seed is
/// the key. The 128-bit counter is `(index, item, step, site << 8 | stream)`. Any thread or rank can compute any number
/// in any order. A run therefore repeats bit for bit, and a resumed run needs no generator state.
public struct CounterRandom: Sendable {
    private let key: (UInt32, UInt32)
    private let high: (UInt32, UInt32, UInt32)

    /// Creates a generator for one stream at one place and time.
    ///
    /// - Parameters:
    ///   - seed: the seed of the run.
    ///   - stream: the purpose of the numbers.
    ///   - site: the place within a step that uses the numbers, such as one layer's dropout; below 2^24.
    ///   - step: the training step, or 0.
    ///   - item: the sequence, tensor or sample within the step.
    public init(seed: UInt64, stream: RandomStream, site: UInt32 = 0, step: UInt32 = 0, item: UInt32 = 0) {
        precondition(site < 1 << 24, "site \(site) does not fit 24 bits")
        key = (UInt32(truncatingIfNeeded: seed), UInt32(truncatingIfNeeded: seed >> 32))
        high = (item, step, site << 8 | UInt32(stream.rawValue))
    }

    /// Creates a generator from raw key and upper counter words, for tests against published values.
    init(key: (UInt32, UInt32), high: (UInt32, UInt32, UInt32)) {
        self.key = key
        self.high = high
    }

    /// Returns four independent, uniformly distributed 32-bit words.
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

    /// The three upper counter words `(item, step, site << 8 | stream)`. Vector kernels count the lowest word
    /// themselves.
    public var highWords: (UInt32, UInt32, UInt32) { high }

    /// The two key words, which hold the seed.
    public var keyWords: (UInt32, UInt32) { key }

    /// Returns a uniformly distributed number in [0, 1) with 53 random bits.
    public func uniform(_ index: UInt32) -> Double {
        let words = block(index)
        return Double((UInt64(words.x) << 32 | UInt64(words.y)) >> 11) * 0x1p-53
    }

    /// Returns two independent standard normal numbers (Box and Muller, 1958).
    public func normalPair(_ index: UInt32) -> (Double, Double) {
        let words = block(index)
        // `first` is in (0, 1], so that its logarithm is finite.
        let first = (Double((UInt64(words.x) << 32 | UInt64(words.y)) >> 11) + 1) * 0x1p-53
        let second = Double((UInt64(words.z) << 32 | UInt64(words.w)) >> 11) * 0x1p-53
        let radius = (-2 * log(first)).squareRoot()
        let angle = 2 * Double.pi * second
        return (radius * cos(angle), radius * sin(angle))
    }

    /// Returns a uniformly distributed integer in `0..<bound`. The bias of the multiplication method is below `bound /
    /// 2^64`.
    public func integer(_ index: UInt32, below bound: Int) -> Int {
        precondition(bound > 0, "cannot draw an integer below \(bound); the bound must be at least 1")
        let words = block(index)
        return Int((UInt64(words.x) << 32 | UInt64(words.y)).multipliedFullWidth(by: UInt64(bound)).high)
    }
}
