import Platform

/// Says what this rank waits for, again and again with growing pauses, whatever call it is blocked in meanwhile: a name that no
/// server resolves and an address that swallows everything both block for longer than a user should wait without a line.
final class WaitingNotice {
    private struct State {
        var text: String
        var isDone = false
    }

    private let state: Guarded<State>

    /// - Parameters:
    ///   - text: what to say unless `text` was set to something else by then.
    ///   - pause: before the first line; each pause after it is twice as long as the one before.
    ///   - note: called on a thread of its own, and never after `end`.
    init(_ text: String, after pause: Duration, note: @escaping @Sendable (String) -> Void) {
        let state = Guarded(State(text: text))
        self.state = state
        _ = SystemThread {
            var pause = pause
            var due = ContinuousClock.now + pause
            while !state.withLock(\.isDone) {
                usleep(20_000)
                guard .now >= due else { continue }
                pause *= 2
                due = .now + pause
                state.withLock { if !$0.isDone { note($0.text) } }
            }
        }
    }

    deinit { end() }

    /// What the next line says.
    var text: String {
        get { state.withLock(\.text) }
        set { state.withLock { $0.text = newValue } }
    }

    /// Nothing is said any more.
    func end() { state.withLock { $0.isDone = true } }
}
