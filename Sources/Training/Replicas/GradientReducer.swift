import Collectives
import Compute

/// How a run cuts its flat gradient into buckets, each of which ranks sum at once.
public struct GradientBuckets: Equatable, Sendable {
    /// From the end of the gradient to its beginning, the order in which they start.
    public let ranges: [Range<Int>]

    /// - Parameters:
    ///   - count: floats of the gradient.
    ///   - bytes: largest size of a bucket; rounded down so that all ranks have the same share.
    public init(count: Int, atMost bytes: Int, communicator: Communicator) {
        let length = communicator.bucketLength(atMost: bytes / MemoryLayout<Float>.stride)
        ranges = stride(from: 0, to: count, by: length).map { $0..<min($0 + length, count) }.reversed()
    }

    /// As many of the first as have so many bytes together, but at least one, in a buffer that begins with the last of them.
    public func first(atMost bytes: Int) -> [Range<Int>] {
        let end = ranges.first?.upperBound ?? 0
        let fitting = ranges.prefix { (end - $0.lowerBound) * MemoryLayout<Float>.stride <= bytes }
        let chosen = fitting.isEmpty ? ranges.prefix(1) : fitting
        let start = chosen.last?.lowerBound ?? 0
        return chosen.map { $0.lowerBound - start..<$0.upperBound - start }
    }
}

/// Sums the flat gradient over all ranks, bucket by bucket, while the backward pass runs.
///
/// The backward pass finishes the gradient from its end, so every rank starts the buckets from the last to the first.
final class GradientReducer {
    private let communicator: Communicator
    private let gradients: UnsafeMutablePointer<Float>
    private let owner: AnyObject
    private let buckets: [Range<Int>]
    /// Buckets that have started in this step.
    private var started = 0

    /// - Parameters:
    ///   - owner: the object that holds `gradients`.
    ///   - bucketBytes: largest size of a bucket; rounded down so that all ranks have the same share.
    init(communicator: Communicator, gradients: borrowing FloatBuffer, owner: AnyObject, bucketBytes: Int) {
        self.communicator = communicator
        self.gradients = gradients.base
        self.owner = owner
        buckets = GradientBuckets(count: gradients.count, atMost: bucketBytes, communicator: communicator).ranges
    }

    /// Starts the buckets that are complete once the gradient is final from `index` on.
    func finished(from index: Int) {
        while started < buckets.count, buckets[started].lowerBound >= index {
            communicator.startAllReduce(unsafe: gradients, range: buckets[started], owner: owner)
            started += 1
        }
    }

    /// Starts the buckets that are left, and waits for all of them.
    ///
    /// - Throws: `CollectiveError.failed`.
    func finish() throws {
        finished(from: 0)
        started = 0
        try communicator.wait()
    }
}
