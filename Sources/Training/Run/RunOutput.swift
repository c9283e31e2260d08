import Platform

/// What a run says: lines on standard output, notes on standard error, and progress between them.
///
/// On a terminal, progress is one line that replaces itself, cut to the terminal's width. Elsewhere, and on a terminal that
/// understands no control sequences (`TERM=dumb`), it is a note, and only after a minute of silence, so that a long
/// iteration or evaluation shows that it lives. No colour is used anywhere.
public final class RunOutput {
    /// Where text goes.
    public struct Sink {
        /// Takes a line for standard output, without its end.
        public var line: (String) -> Void
        /// Takes a line for standard error, without its end.
        public var note: (String) -> Void
        /// Writes text as it is where a person looks on; nil when nobody does.
        public var terminal: ((String) -> Void)?
        /// Columns of that terminal now; nil when it does not tell.
        public var columns: () -> Int?

        /// Without `terminal`, progress is never a line that replaces itself.
        public init(
            line: @escaping (String) -> Void,
            note: @escaping (String) -> Void,
            terminal: ((String) -> Void)? = nil,
            columns: @escaping () -> Int? = { nil }
        ) {
            self.line = line
            self.note = note
            self.terminal = terminal
            self.columns = columns
        }

        /// The process's standard streams; a terminal where standard error is one that can replace lines.
        public static var standard: Sink {
            Sink(
                line: { write("\($0)\n", to: STDOUT_FILENO) },
                note: { write("\($0)\n", to: STDERR_FILENO) },
                terminal: Terminal.replacesLines(STDERR_FILENO) ? { write($0, to: STDERR_FILENO) } : nil,
                columns: { Terminal.columns(of: STDERR_FILENO) }
            )
        }

        /// The process's standard streams, written by a thread of its own: a run does not wait for who reads what it says.
        public static func through(_ writer: OutputWriter) -> Sink {
            Sink(
                line: { writer.put("\($0)\n", to: .output) },
                note: { writer.put("\($0)\n", to: .errors) },
                terminal: Terminal.replacesLines(STDERR_FILENO)
                    ? { writer.put($0, to: .errors, isReplaceable: true) } : nil,
                columns: { Terminal.columns(of: STDERR_FILENO) }
            )
        }

        /// That of a rank that does not print: notes only, which say whose they are.
        public static func notes(ofRank rank: Int, through writer: OutputWriter) -> Sink {
            Sink(line: { _ in }, note: { writer.put("rank \(rank): \($0)\n", to: .errors) })
        }

        private static func write(_ text: String, to descriptor: Int32) {
            // A run does not end because nobody reads what it says.
            _ = Array(text.utf8).withUnsafeBytes { FileSystem.write($0, to: descriptor) }
        }
    }

    /// Whether log lines would only repeat the progress line: both go to the same terminal.
    public let linesGoToTerminal: Bool
    /// Called with every progress, shown or not.
    package var onProgress: () -> Void = {}
    private let sink: Sink
    private let now: () -> ContinuousClock.Instant
    private var lastOutput: ContinuousClock.Instant
    private let saysProgress: Bool
    private var showsProgress = false

    private static let refresh = Duration.milliseconds(100)
    private static let longestSilence = Duration.seconds(60)

    /// - Parameter saysProgress: whether progress becomes a note where there is no terminal.
    public init(
        _ sink: Sink = .standard,
        linesGoToTerminal: Bool = isatty(STDOUT_FILENO) == 1,
        saysProgress: Bool = true,
        now: @escaping () -> ContinuousClock.Instant = { .now }
    ) {
        self.sink = sink
        self.saysProgress = saysProgress
        self.linesGoToTerminal = linesGoToTerminal && sink.terminal != nil
        self.now = now
        lastOutput = now()
    }

    /// Writes a line to standard output, in place of the progress line.
    public func line(_ text: String) {
        clearProgress()
        sink.line(text)
        lastOutput = now()
    }

    /// Writes a line to standard error, in place of the progress line.
    public func note(_ text: String) {
        clearProgress()
        sink.note(text)
        lastOutput = now()
    }

    /// Shows how far the run is: on a terminal at most ten times a second, elsewhere after a minute of silence. `text`
    /// is evaluated only if it is shown.
    public func progress(_ text: @autoclosure () -> String) {
        onProgress()
        let elapsed = now() - lastOutput
        if let terminal = sink.terminal {
            guard elapsed >= Self.refresh else { return }
            // A line as wide as the terminal would wrap, and the next one not take its place.
            let line = Terminal.cut(text(), to: (sink.columns() ?? Terminal.usualColumns) - 1)
            // Carriage return, and erase to the end of the line.
            terminal("\r\(line)\u{1B}[K")
            showsProgress = true
            lastOutput = now()
        } else if saysProgress, elapsed >= Self.longestSilence {
            note(text())
        }
    }

    /// Takes the progress line away, for who writes elsewhere.
    public func clearProgress() {
        guard showsProgress else { return }
        sink.terminal?("\r\u{1B}[K")
        showsProgress = false
    }
}
