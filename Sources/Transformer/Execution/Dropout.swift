import CVectorKernels
import Compute

/// Identifies the dropout masks of a micro-batch. The seed, the step and the index of a sequence in the step determine
/// its masks.
public struct DropoutKey: Sendable {
    /// The seed of the run.
    public var seed: UInt64
    /// The iteration, counted from 0.
    public var step: Int
    /// The index of the micro-batch's first sequence within the step, over all micro-batches and ranks.
    public var firstSequence: Int

    /// Creates the key of a micro-batch.
    public init(seed: UInt64, step: Int, firstSequence: Int) {
        self.seed = seed
        self.step = step
        self.firstSequence = firstSequence
    }
}

/// Dropout (Srivastava et al., 2014): zeroes each element with probability p and divides the others by 1 - p.
///
/// Masks use counter-based random numbers. The backward pass therefore computes them again instead of storing them, and
/// they do not depend on chunks, threads or ranks. p is rounded to a multiple of 1/65536, and the divisor uses the
/// rounded p.
struct Dropout {
    /// A place in the model that drops elements. Each place has its own random numbers.
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

    /// Returns nil if nothing would be dropped.
    init?(probability: Float, key: DropoutKey?) {
        guard let key, probability > 0 else { return nil }
        self.key = key
        threshold = min(65535, UInt32((probability * 65536).rounded()))
        if threshold == 0 { return nil }
    }

    /// Returns the kernel's parameters of this dropout at `site`, for sequences from number `sequence` of the
    /// micro-batch on.
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

/// Passes an optional value to a kernel, which takes a null pointer for nil.
func withOptionalPointer<Value, Result>(to value: Value?, _ body: (UnsafePointer<Value>?) -> Result) -> Result {
    guard let value else { return body(nil) }
    return withUnsafePointer(to: value) { body($0) }
}
