/// Several processes of one program on this machine, a rank each.
public struct Job: Sendable {
    /// Path of the program.
    public var executable: String
    /// What follows the program's name, for every rank.
    public var arguments: [String]
    /// Processes, at least 1.
    public var rankCount: Int
    /// How often all ranks are started again after failures with no progress between them.
    public var maxRestarts: Int
    /// Where each rank has a file with what it prints; nil for none.
    public var logFolder: String?
    /// What ranks find in their environment beside what says who they are.
    public var environment: [String: String]
    /// How long the launcher waits for ranks that are to end.
    public var patience = Patience()

    /// With the usual patience.
    public init(
        executable: String,
        arguments: [String],
        rankCount: Int,
        maxRestarts: Int = 0,
        logFolder: String? = nil,
        environment: [String: String]
    ) {
        self.executable = executable
        self.arguments = arguments
        self.rankCount = rankCount
        self.maxRestarts = maxRestarts
        self.logFolder = logFolder
        self.environment = environment
    }

    /// How long the launcher waits before it goes further.
    public struct Patience: Sendable {
        /// From a rank's failure until those that have not left by themselves get SIGTERM.
        public var afterFailure = Duration.seconds(10)
        /// From that until SIGKILL.
        public var afterTerminate = Duration.seconds(5)
        /// From a signal that asks for the end until another one is a second request: whoever signals a whole job may reach the
        /// launcher more than once.
        public var beforeSecondSignal = Duration.seconds(2)
        /// From a second signal, with which all get SIGTERM, until SIGKILL.
        public var afterSecondSignal = Duration.seconds(2)
        /// From the last rank's end, for what a process that it left may still write.
        public var afterEnd = Duration.milliseconds(500)
        /// From a failure until the first restart: what failed, such as a full disk or a machine that is short of memory, may
        /// need a while. Twice as long before each further one.
        public var beforeRestart = Duration.seconds(1)
        /// No pause before a restart is longer.
        public var longestBeforeRestart = Duration.seconds(60)
        /// From the job's end until log files that are still not written are given up.
        public var forLogs = Duration.seconds(5)

        /// The usual waits; each can be set.
        public init() {}

        /// The pause before a restart, from number 1 on.
        func before(restart: Int) -> Duration {
            (1..<max(1, restart)).reduce(beforeRestart) { pause, _ in min(pause * 2, longestBeforeRestart) }
        }
    }

    /// How ranks are started again.
    public struct Continuation: Sendable {
        /// What follows the program's name, in place of the job's own.
        public var arguments: [String]
        /// Where that begins, as in "going on from iteration 400": for messages.
        public var beginning: String
        /// Whether a checkpoint was saved since the last start: then restarts are counted from the beginning again.
        public var hasProgressed: Bool
        /// Whether there is a checkpoint that a later job can go on from.
        public var canBeResumed: Bool

        /// The facts of one restart.
        public init(arguments: [String], beginning: String, hasProgressed: Bool = false, canBeResumed: Bool = false) {
            self.arguments = arguments
            self.beginning = beginning
            self.hasProgressed = hasProgressed
            self.canBeResumed = canBeResumed
        }
    }
}
