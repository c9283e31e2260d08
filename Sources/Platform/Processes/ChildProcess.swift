/// A program that this process started.
public struct ChildProcess: Sendable {
    /// How a process ended.
    public enum End: Equatable, Sendable {
        /// The program exited with this status, 0 to 255.
        case exited(Int32)
        /// A signal ended it.
        case killed(signal: Int32)

        /// The exit status, or 128 plus the number of the signal, as shells report it.
        public var status: Int32 {
            switch self {
            case .exited(let code): code
            case .killed(let signal): 128 + signal
            }
        }
    }

    #if canImport(Darwin)
        private typealias Actions = posix_spawn_file_actions_t?
        private typealias Attributes = posix_spawnattr_t?
    #else
        private typealias Actions = posix_spawn_file_actions_t
        private typealias Attributes = posix_spawnattr_t
    #endif

    /// The process id. It is also the group's id if the process leads a group.
    public let id: pid_t

    /// Starts a program. The program receives signals even if this process blocks or ignores them.
    ///
    /// - Parameters:
    ///   - arguments: the program's name first.
    ///   - executable: the program's path; nil searches `PATH` for the name.
    ///   - environment: all variables of the program; nil passes on those of this process.
    ///   - descriptors: for each descriptor number in the program, the descriptor here that it copies. Standard streams
    ///     that are not listed are connected to /dev/null. Use descriptors from 10 on here, so that none is overwritten
    ///     before it is copied.
    ///   - inOwnGroup: whether the program leads a new process group, which signals from the terminal do not reach.
    /// - Throws: `UserError(.other)` if the program cannot be started.
    public init(
        _ arguments: [String],
        executable: String? = nil,
        environment: [String: String]? = nil,
        descriptors: [Int32: Int32],
        inOwnGroup: Bool = false
    ) throws {
        var actions = Actions()
        var attributes = Attributes()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for stream: Int32 in 0...2 where descriptors[stream] == nil {
            posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", stream == 0 ? O_RDONLY : O_WRONLY, 0)
        }
        for (target, source) in descriptors { posix_spawn_file_actions_adddup2(&actions, source, target) }

        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        Self.resetSignals(&attributes, inOwnGroup: inOwnGroup)

        let variables = environment ?? ProcessEnvironment.variables
        var id: pid_t = 0
        let code = withCStrings(arguments) { argv in
            withCStrings(variables.map { "\($0.key)=\($0.value)" }) { envp in
                if let executable { return posix_spawn(&id, executable, &actions, &attributes, argv, envp) }
                return posix_spawnp(&id, arguments[0], &actions, &attributes, argv, envp)
            }
        }
        guard code == 0 else {
            throw UserError(.other, "cannot run \(executable ?? arguments[0]): \(errorText(code))")
        }
        self.id = id
    }

    private static func resetSignals(_ attributes: inout Attributes, inOwnGroup: Bool) {
        var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGTERM, SIGINT, SIGUSR1, SIGPIPE, SIGCHLD, SIGXFSZ] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        if inOwnGroup {
            flags |= POSIX_SPAWN_SETPGROUP
            posix_spawnattr_setpgroup(&attributes, 0)
        }
        posix_spawnattr_setflags(&attributes, Int16(flags))
    }

    /// Whether the program has ended. Its process id stays reserved until `wait` is called.
    public var hasEnded: Bool {
        var information = siginfo_t()
        return waitid(P_PID, id_t(id), &information, WEXITED | WNOHANG | WNOWAIT) == 0
            && information.si_signo == SIGCHLD
    }

    /// Waits until the program ends. Call it once.
    public func wait() -> End {
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal)
    }

    /// Creates a pipe. A child inherits neither end unless it is listed in `descriptors`.
    ///
    /// - Parameter who: the name of the other side, for error messages.
    /// - Throws: `UserError(.inputOutput)`, for example if too many files are open.
    public static func makePipe(to who: String) throws -> (readEnd: Int32, writeEnd: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw FileSystem.failure("cannot create a pipe to", who, errno) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        return (ends[0], ends[1])
    }
}

/// Calls `body` with a null-terminated array of C strings.
private func withCStrings<Result>(
    _ strings: [String],
    _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
) -> Result {
    let pointers = strings.map { strdup($0) } + [nil]
    defer { pointers.forEach { free($0) } }
    return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
}
