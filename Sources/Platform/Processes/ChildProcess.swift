/// A program that this process started.
public struct ChildProcess: Sendable {
    /// How a process ended.
    public enum End: Equatable, Sendable {
        /// With this exit status, 0 to 255.
        case exited(Int32)
        case killed(signal: Int32)

        /// The exit status, or 128 + the signal that ended it, as a shell has it.
        public var status: Int32 {
            switch self {
            case .exited(let code): code
            case .killed(let signal): 128 + signal
            }
        }
    }

    /// Its process id, and its group's where it leads one.
    public let id: pid_t

    /// Starts a program, open to signals even where this process blocks or ignores them.
    ///
    /// - Parameters:
    ///   - arguments: the program's name first.
    ///   - executable: its path; where there is none, it is found by `PATH` under its name.
    ///   - environment: all of its environment; this process's own where there is none.
    ///   - descriptors: what the program has as its descriptors 0, 1, 2…, by that number. A standard stream that is not
    ///     named is empty, or goes nowhere. Descriptors above 2 are to be given from 10 on, so that none is replaced
    ///     while it is still to be passed on.
    ///   - inOwnGroup: whether it leads a process group of its own, which a terminal's signals do not reach.
    /// - Throws: `UserError(.other)` when the program cannot be started.
    public init(
        _ arguments: [String],
        executable: String? = nil,
        environment: [String: String]? = nil,
        descriptors: [Int32: Int32],
        inOwnGroup: Bool = false
    ) throws {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for stream: Int32 in 0...2 where descriptors[stream] == nil {
            posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", stream == 0 ? O_RDONLY : O_WRONLY, 0)
        }
        for (target, source) in descriptors { posix_spawn_file_actions_adddup2(&actions, source, target) }

        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGTERM, SIGINT, SIGUSR1, SIGPIPE] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        if inOwnGroup {
            flags |= POSIX_SPAWN_SETPGROUP
            posix_spawnattr_setpgroup(&attributes, 0)
        }
        posix_spawnattr_setflags(&attributes, Int16(flags))

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

    /// Whether it has ended. Its number stays taken, and its group can be signalled, until `wait`.
    public var hasEnded: Bool {
        var information = siginfo_t()
        return waitid(P_PID, id_t(id), &information, WEXITED | WNOHANG | WNOWAIT) == 0
            && information.si_signo == SIGCHLD
    }

    /// Waits for its end. To be called once.
    public func wait() -> End {
        var status: Int32 = 0
        while waitpid(id, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return signal == 0 ? .exited(status >> 8 & 0xFF) : .killed(signal: signal)
    }

    /// A pipe, neither end of which any child has unless it is given to it.
    ///
    /// - Parameter who: who is at the other end, for errors.
    /// - Throws: `UserError(.inputOutput)`, as when too many files are open.
    public static func makePipe(to who: String) throws -> (readEnd: Int32, writeEnd: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw FileSystem.failure("cannot make a pipe to", who, errno) }
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
