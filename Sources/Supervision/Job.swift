/// Several processes of one program on this machine, a rank each.
public struct Job: Sendable {
    /// Path of the program.
    public var executable: String
    /// What follows the program's name, for every rank.
    public var arguments: [String]
    /// Processes, at least 1.
    public var rankCount: Int
    /// How often all ranks are started again after a failure.
    public var maxRestarts: Int
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
        environment: [String: String]
    ) {
        self.executable = executable
        self.arguments = arguments
        self.rankCount = rankCount
        self.maxRestarts = maxRestarts
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

        /// The usual waits; each can be set.
        public init() {}
    }

    /// How ranks are started again.
    public struct Continuation: Sendable {
        /// What follows the program's name, in place of the job's own.
        public var arguments: [String]
        /// Where that begins, as in "going on from iteration 400".
        public var beginning: String

        /// `beginning` is for the launcher's message alone.
        public init(arguments: [String], beginning: String) {
            self.arguments = arguments
            self.beginning = beginning
        }
    }
}
