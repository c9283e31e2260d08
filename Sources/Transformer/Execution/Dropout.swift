import CVectorKernels
import Compute

/// Identifies the dropout masks of a micro-batch: a function of the seed, the step and the sequence's number in the step.
public struct DropoutKey: Sendable {
    /// The run's.
    public var seed: UInt64
    /// The iteration, counted from 0.
    public var step: Int
    /// The number of the micro-batch's first sequence within the step, counted over all micro-batches and ranks.
    public var firstSequence: Int

    /// The key of the micro-batch whose first sequence has the number `firstSequence` in its step.
    public init(seed: UInt64, step: Int, firstSequence: Int) {
        self.seed = seed
        self.step = step
        self.firstSequence = firstSequence
    }
}

/// Dropout (Srivastava et al., 2014): each element is zeroed with probability p, the others are divided by 1 - p.
///
/// Masks are drawn by counter, so backward makes them again instead of storing them, and neither chunks, threads nor ranks
/// change them. p counts in steps of 1/65536; the divisor is that of the rounded p.
struct Dropout {
    /// Where in the model elements are dropped; each place draws numbers of its own.
    enum Site {
        case embedding
        case attentionWeights(layer: Int)
        case attentionOutput(layer: Int)
        case mlpOutput(layer: Int)

        var number: UInt32 {
            switch self {
            case .embedding: 0
            case .attentionWeights(let layer): UInt32(3 * layer + 1)
            case .attentionOutput(let layer): UInt32(3 * layer + 2)
            case .mlpOutput(let layer): UInt32(3 * layer + 3)
            }
        }
    }

    private let key: DropoutKey
    private let threshold: UInt32

    /// nil when nothing would be dropped.
    init?(probability: Float, key: DropoutKey?) {
        guard let key, probability > 0 else { return nil }
        self.key = key
        threshold = min(65535, UInt32((probability * 65536).rounded()))
        if threshold == 0 { return nil }
    }

    /// The kernel's form of this dropout at `site`, for sequences from `sequence` of the micro-batch on.
    func at(_ site: Site, sequence: Int) -> dt_dropout {
        let random = CounterRandom(
            seed: key.seed,
            stream: .dropout,
            site: site.number,
            step: UInt32(truncatingIfNeeded: key.step),
            item: UInt32(truncatingIfNeeded: key.firstSequence + sequence)
        )
        let (item, step, siteAndStream) = random.highWords
        return dt_dropout(
            key0: random.keyWords.0,
            key1: random.keyWords.1,
            item: item,
            step: step,
            site: siteAndStream,
            threshold: threshold,
            scale: 65536 / Float(65536 - threshold)
        )
    }
}

/// Passes an optional value to a kernel, which takes a null pointer for none.
func withOptionalPointer<Value, Result>(to value: Value?, _ body: (UnsafePointer<Value>?) -> Result) -> Result {
    guard let value else { return body(nil) }
    return withUnsafePointer(to: value) { body($0) }
}
