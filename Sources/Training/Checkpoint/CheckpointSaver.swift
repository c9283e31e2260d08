import Collectives
import Compute
import Platform
import Synchronization
import Text
import Transformer

/// A save that has ended, well or not.
struct EndedSave: Sendable {
    let state: CheckpointState
    let isBest: Bool
    let result: Result<Checkpoint, UserError>
    /// What went wrong when older checkpoints were to be removed; the save itself is whole all the same.
    let warning: String?
    /// From its beginning to its end, and the part of that during which training stood still.
    let seconds: Double
    let stoodStillSeconds: Double
}

/// Saves the checkpoints of a run: while training goes on, from a copy of the numbers on a thread of its own, or at once.
///
/// One save at a time: whoever wants the next collects the one before it first.
final class CheckpointSaver {
    private let writer: Writer
    /// Made once and kept, so that no save touches new memory: 1.5 GB of it took a second to appear.
    private var copy: Copy?
    /// What touches the copy's memory, if that was asked for.
    private var toucher: SystemThread?
    private var running: Running?

    init(store: CheckpointStore, keep: Int, tokenizer: (any Tokenizer)?) {
        writer = Writer(store: store, keep: keep, tokenizer: tokenizer)
    }

    deinit { toucher?.join() }

    /// Takes the memory of the copy while training begins, for a first save that stops it no longer than the others.
    ///
    /// - Parameter count: of parameters.
    func prepareCopy(count: Int) {
        let copy = Copy(count: count)
        self.copy = copy
        toucher = SystemThread {
            Self.yieldToTraining()
            copy.touch()
        }
    }

    /// Whether a save is being written, or has been and was not collected.
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

    /// Copies the numbers and begins to write them; `collect` tells how it ended.
    func begin(_ state: CheckpointState, _ values: CheckpointValues, isBest: Bool, pool: WorkerPool) {
        precondition(!hasBegun)
        let start = ContinuousClock.now
        toucher?.join()
        let copy = copy ?? Copy(count: values.layout.count)
        self.copy = copy
        copy.take(values, pool: pool)
        let stoodStill = start.secondsAgo
        running = Running { [writer] progress in
            Self.yieldToTraining()
            let (result, warning) = writer.write(
                state,
                copy.values(values.layout),
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

    /// - Parameter progress: called while it waits, as long as the save gets on.
    /// - Returns: nil when there is no save to collect, or when it has not ended and is not waited for.
    func collect(waiting: Bool, progress: () -> Void = {}) -> EndedSave? {
        guard let ended = running?.end(waiting: waiting, progress: progress) else { return nil }
        running = nil
        return ended
    }

    /// Hashing and writing may take a core for seconds, which the training's own threads should have.
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

/// The numbers of one moment, which training no longer touches.
private final class Copy: Sendable {
    private let parameters: FloatBuffer
    private let firstMoments: FloatBuffer
    private let secondMoments: FloatBuffer

    init(count: Int) {
        parameters = FloatBuffer(count: count)
        firstMoments = FloatBuffer(count: count)
        secondMoments = FloatBuffer(count: count)
    }

    /// Writes to every page.
    func touch() {
        for buffer in [parameters.elements, firstMoments.elements, secondMoments.elements] {
            for index in stride(from: 0, to: buffer.count, by: 1024) { buffer[index] = 0 }
        }
    }

    func take(_ values: CheckpointValues, pool: WorkerPool) {
        VectorOperations.copy(values.parameters, to: parameters.elements, pool: pool)
        VectorOperations.copy(values.firstMoments, to: firstMoments.elements, pool: pool)
        VectorOperations.copy(values.secondMoments, to: secondMoments.elements, pool: pool)
    }

    func values(_ layout: ParameterLayout) -> CheckpointValues {
        CheckpointValues(
            layout: layout,
            parameters: UnsafeBufferPointer(parameters.elements),
            firstMoments: UnsafeBufferPointer(firstMoments.elements),
            secondMoments: UnsafeBufferPointer(secondMoments.elements)
        )
    }
}

/// A save on a thread of its own.
private final class Running {
    private final class Shared: Sendable {
        let ended = Mutex<EndedSave?>(nil)
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
