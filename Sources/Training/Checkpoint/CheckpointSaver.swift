import Collectives
import Compute
import Platform
import Synchronization
import Tokenizers
import Transformer

/// The outcome of a save.
struct EndedSave: Sendable {
    let state: CheckpointState
    let isBest: Bool
    let result: Result<Checkpoint, UserError>
    /// Why older checkpoints could not be removed, which does not affect this one; nil if they could.
    let warning: String?
    /// The duration of the save, and the part of it during which training waited.
    let seconds: Double
    let stoodStillSeconds: Double
}

/// Saves the checkpoints of a run: in the background, on a thread that writes a copy of the numbers, or at once.
///
/// There is one save at a time: a save must be collected before the next one begins.
final class CheckpointSaver {
    private let writer: Writer
    /// Made once and kept: the page faults of 1.5 GB of new memory took a second.
    private var copy: CheckpointCopy?
    /// Touches the memory of the copy after `prepareCopy`.
    private var toucher: SystemThread?
    private var running: Running?

    init(store: CheckpointStore, keep: Int, tokenizer: (any Tokenizer)?) {
        writer = Writer(store: store, keep: keep, tokenizer: tokenizer)
    }

    deinit { toucher?.join() }

    /// Allocates the copy while training begins, so that the first save takes no longer than the others.
    func prepareCopy(for state: OptimizerState) {
        let copy = CheckpointCopy(for: state)
        self.copy = copy
        toucher = SystemThread {
            Self.yieldToTraining()
            copy.touch()
        }
    }

    /// Whether there is a save that was not collected.
    var hasBegun: Bool { running != nil }

    /// Saves before it returns.
    ///
    /// - Parameter progress: called now and then while files are written.
    func save(
        _ state: CheckpointState,
        _ values: CheckpointValues,
        isBest: Bool,
        progress: () -> Void
    ) -> EndedSave {
        precondition(!hasBegun)
        let start = ContinuousClock.now
        let (result, warning) = writer.write(state, values, isBest: isBest, progress: progress)
        let seconds = start.secondsAgo
        return EndedSave(
            state: state,
            isBest: isBest,
            result: result,
            warning: warning,
            seconds: seconds,
            stoodStillSeconds: seconds
        )
    }

    /// Copies the numbers and begins to write them; `collect` returns the outcome.
    func begin(_ state: CheckpointState, _ values: CheckpointValues, isBest: Bool, pool: WorkerPool) {
        precondition(!hasBegun)
        let start = ContinuousClock.now
        toucher?.join()
        let copy = copy ?? CheckpointCopy(for: values.optimizer)
        self.copy = copy
        copy.take(values, pool: pool)
        let stoodStill = start.secondsAgo
        running = Running { [writer] progress in
            Self.yieldToTraining()
            let (result, warning) = writer.write(
                state,
                CheckpointValues(copy),
                isBest: isBest,
                progress: progress
            )
            return EndedSave(
                state: state,
                isBest: isBest,
                result: result,
                warning: warning,
                seconds: start.secondsAgo,
                stoodStillSeconds: stoodStill
            )
        }
    }

    /// - Parameter progress: called while waiting, when more of the save is written.
    /// - Returns: nil when there is no save, or when it has not ended and `waiting` is false.
    func collect(waiting: Bool, progress: () -> Void = {}) -> EndedSave? {
        guard let ended = running?.end(waiting: waiting, progress: progress) else { return nil }
        running = nil
        return ended
    }

    /// Lowers the priority of this thread: hashing and writing take a core for seconds that training needs.
    private static func yieldToTraining() {
        #if os(Linux)
            // Linux counts this for the calling thread alone.
            _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 5)
        #endif
    }
}

/// Where and how the checkpoints of a run are written.
private struct Writer: Sendable {
    let store: CheckpointStore
    let keep: Int
    let tokenizer: (any Tokenizer)?

    func write(
        _ state: CheckpointState,
        _ values: CheckpointValues,
        isBest: Bool,
        progress: () -> Void
    ) -> (result: Result<Checkpoint, UserError>, warning: String?) {
        do {
            let checkpoint = try store.save(state, values, tokenizer: tokenizer, isBest: isBest, progress: progress)
            do {
                try store.prune(keep: keep, upTo: state.iteration)
            } catch {
                return (.success(checkpoint), "an older checkpoint was not removed: \(error)")
            }
            return (.success(checkpoint), nil)
        } catch {
            return (.failure(error as? UserError ?? UserError(.inputOutput, "\(error)")), nil)
        }
    }
}

/// A save on a thread of its own.
private final class Running {
    private final class Shared: Sendable {
        let ended = Guarded<EndedSave?>(nil)
        let pieces = Atomic<Int>(0)
    }

    private let shared = Shared()
    private let thread: SystemThread

    init(_ save: @escaping @Sendable (_ progress: () -> Void) -> EndedSave) {
        thread = SystemThread { [shared] in
            let result = save { shared.pieces.add(1, ordering: .relaxed) }
            shared.ended.withLock { $0 = result }
        }
    }

    func end(waiting: Bool, progress: () -> Void) -> EndedSave? {
        var seen = -1
        while true {
            if let result = shared.ended.withLock({ $0 }) {
                thread.join()
                return result
            }
            guard waiting else { return nil }
            // Looked at, not waited for: whoever watches the run must see that the save gets on.
            let pieces = shared.pieces.load(ordering: .relaxed)
            if pieces != seen { progress() }
            seen = pieces
            usleep(1000)
        }
    }
}
