import Synchronization

/// Where the threads of a rank write what they do, and its control thread reads it to tell the others.
///
/// A rank that computes must move `work` from time to time; one that waits for others must not be blamed for standing still.
public final class ProgressBoard: Sendable {
    /// What the thread that trains is doing.
    public enum Activity: UInt8, Sendable {
        /// Something without a measure, such as opening data: only heartbeats count.
        case preparing
        /// Work that counts its parts by `worked()`.
        case computing
        /// Waiting until a collective is done.
        case waiting
    }

    private let activityValue = Atomic<UInt8>(Activity.preparing.rawValue)
    private let workCount = Atomic<UInt64>(0)
    private let sentCount = Atomic<UInt64>(0)
    private let receivedCount = Atomic<UInt64>(0)

    public init() {}

    public var activity: Activity {
        get { Activity(rawValue: activityValue.load(ordering: .relaxed))! }
        set { activityValue.store(newValue.rawValue, ordering: .relaxed) }
    }

    /// Parts of work done: chunks of a micro-batch, batches of an evaluation, pieces of a save.
    public var work: UInt64 { workCount.load(ordering: .relaxed) }
    /// Messages that have gone to the next rank of the ring, and have come from the previous one, since the start.
    public var sent: UInt64 { sentCount.load(ordering: .relaxed) }
    public var received: UInt64 { receivedCount.load(ordering: .relaxed) }

    public func worked() { workCount.add(1, ordering: .relaxed) }

    func moved(sent: Int, received: Int) {
        if sent > 0 { sentCount.add(UInt64(sent), ordering: .relaxed) }
        if received > 0 { receivedCount.add(UInt64(received), ordering: .relaxed) }
    }
}
