import Synchronization

/// Where the threads of a rank write what they do, and its control thread reads it to tell the others.
///
/// A rank that computes must move `work` from time to time; one that waits for others must not be blamed for standing
/// still.
public final class ProgressBoard: Sendable {
    /// What the thread that trains is doing, and so what its progress is.
    public enum Activity: UInt8, Sendable {
        /// Opening, reading and making what training needs: its progress is what the system counts of its thread.
        case preparing
        /// Work that counts its parts by `worked()`.
        case computing
        /// Waiting until a collective is done.
        case waiting
        /// Writing files: one call may take long on slow storage, and ending it would lose what it writes.
        case saving
    }

    /// What it is busy with, for messages.
    public enum Stage: UInt8, Sendable, CaseIterable {
        case preparing, findingDataset, openingDataset, readingWeights, readingCheckpoint, comparingData, checkingTokens
        case makingFolder, makingModel, writingFiles, computing, savingCheckpoint, writingLogs, examining

        /// What comes after "while".
        var text: String {
            switch self {
            case .preparing: "preparing"
            case .findingDataset: "looking for or preparing the dataset"
            case .openingDataset: "opening the dataset"
            case .readingWeights: "reading the weights to start from"
            case .readingCheckpoint: "reading the checkpoint to resume"
            case .comparingData: "comparing its data with the other ranks'"
            case .checkingTokens: "checking the tokens of the dataset"
            case .makingFolder: "making the run's folder"
            case .makingModel: "making the model"
            case .writingFiles: "writing the run's first files"
            case .computing: "computing"
            case .savingCheckpoint: "saving a checkpoint"
            case .writingLogs: "writing the run's logs"
            case .examining: "examining its machine"
            }
        }
    }

    private let activityValue = Atomic<UInt8>(Activity.preparing.rawValue)
    private let stageValue = Atomic<UInt8>(Stage.preparing.rawValue)
    private let trainingBegan = Atomic<Bool>(false)
    private let workCount = Atomic<UInt64>(0)
    private let operationCount = Atomic<UInt64>(0)
    private let offeredCount = Atomic<UInt64>(0)
    private let sentCount = Atomic<UInt64>(0)
    private let wantedCount = Atomic<UInt64>(0)
    private let receivedCount = Atomic<UInt64>(0)
    private let arrivedCount = Atomic<UInt64>(0)
    private let roundTripMilliseconds = Atomic<UInt64>(0)

    /// `preparing`, with all counts at zero.
    public init() {}

    /// Set by the thread that trains, read by the control thread.
    public var activity: Activity {
        get { Activity(rawValue: activityValue.load(ordering: .relaxed))! }
        set { activityValue.store(newValue.rawValue, ordering: .relaxed) }
    }

    /// As `activity`.
    public var stage: Stage {
        get { Stage(rawValue: stageValue.load(ordering: .relaxed))! }
        set { stageValue.store(newValue.rawValue, ordering: .relaxed) }
    }

    /// Runs `body` at this stage, and goes back to the one before.
    ///
    /// - Parameter activity: nil for the one that goes on.
    public func during<Result>(
        _ stage: Stage,
        _ activity: Activity? = nil,
        _ body: () throws -> Result
    ) rethrows -> Result {
        let before = (self.stage, self.activity)
        self.stage = stage
        if let activity { self.activity = activity }
        defer { (self.stage, self.activity) = before }
        return try body()
    }

    /// Whether a request to stop is to be left to the thread that trains. Before that nothing is there to save.
    var hasBegunTraining: Bool { trainingBegan.load(ordering: .relaxed) }

    /// To be called before the last collective of the preparation: then no rank trains while another one would leave it.
    public func beginTraining() { trainingBegan.store(true, ordering: .relaxed) }

    /// Parts of work done: chunks of a micro-batch, batches of an evaluation, pieces of a save.
    public var work: UInt64 { workCount.load(ordering: .relaxed) }
    /// Messages that have gone to the next rank of the ring, and have come from the previous one, since the start.
    public var sent: UInt64 { sentCount.load(ordering: .relaxed) }
    /// Messages that have come from the previous rank of the ring, since the start.
    public var received: UInt64 { receivedCount.load(ordering: .relaxed) }

    /// Counts one more part of `work`, from any thread.
    public func worked() { workCount.add(1, ordering: .relaxed) }

    func moved(sent: Int, received: Int) {
        if sent > 0 { sentCount.add(UInt64(sent), ordering: .relaxed) }
        if received > 0 { receivedCount.add(UInt64(received), ordering: .relaxed) }
    }

    /// Bytes came from the previous rank of the ring, though perhaps no whole message.
    func arrived(bytes: Int) { arrivedCount.add(UInt64(bytes), ordering: .relaxed) }

    /// The system measured this round trip to the next rank of the ring.
    func measured(roundTrip: Duration) {
        roundTripMilliseconds.store(UInt64(max(0, roundTrip / .milliseconds(1))), ordering: .relaxed)
    }

    /// A collective begins on the communication thread.
    func began() { operationCount.add(1, ordering: .relaxed) }

    /// Messages were posted to the transport. What is posted at both ends of a link and does not move shows which link
    /// it is.
    func posted(sends: Int = 0, receives: Int = 0) {
        if sends > 0 { offeredCount.add(UInt64(sends), ordering: .relaxed) }
        if receives > 0 { wantedCount.add(UInt64(receives), ordering: .relaxed) }
    }

    /// What stands here now.
    var report: ProgressReport {
        ProgressReport(
            activity: activity,
            stage: stage,
            work: work,
            operations: operationCount.load(ordering: .relaxed),
            offered: offeredCount.load(ordering: .relaxed),
            sent: sent,
            wanted: wantedCount.load(ordering: .relaxed),
            received: received,
            arrived: arrivedCount.load(ordering: .relaxed),
            roundTrip: roundTripMilliseconds.load(ordering: .relaxed)
        )
    }
}

/// A progress board at one moment. Counts are since the start.
struct ProgressReport: Equatable, Sendable {
    var activity: ProgressBoard.Activity = .preparing
    var stage: ProgressBoard.Stage = .preparing
    /// Parts of work done.
    var work: UInt64 = 0
    /// Collectives begun.
    var operations: UInt64 = 0
    /// Messages posted to the next rank of the ring, and those of them that have gone.
    var offered: UInt64 = 0
    var sent: UInt64 = 0
    /// Messages waited for from the previous rank, and those of them that have come.
    var wanted: UInt64 = 0
    var received: UInt64 = 0
    /// Bytes that have come from the previous rank.
    var arrived: UInt64 = 0
    /// The last measured round trip to the next rank, in milliseconds; 0 if none was measured.
    var roundTrip: UInt64 = 0
}
