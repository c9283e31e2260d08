import Collectives
import Compute

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
        let length = communicator.bucketLength(atMost: bucketBytes / MemoryLayout<Float>.stride)
        let count = gradients.count
        buckets = stride(from: 0, to: count, by: length).map { $0..<min($0 + length, count) }.reversed()
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
