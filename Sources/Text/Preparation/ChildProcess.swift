import Formats

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif
#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// Runs a program to its end.
enum ChildProcess {
    struct Outcome {
        /// The exit status, or 128 + the signal that ended it, as a shell has it.
        let status: Int32
        /// What it wrote to standard error.
        let errorText: String
    }

    /// Starts a program that is found by PATH, with standard input empty and standard output thrown away.
    ///
    /// - Parameters:
    ///   - arguments: the program's name first.
    ///   - timeout: seconds after which it is killed; the status is then 137.
    ///   - meanwhile: called about ten times a second.
    /// - Throws: `UserError(.other)` when the program cannot be started.
    static func run(_ arguments: [String], timeout: Int, meanwhile: () -> Void) throws -> Outcome {
        var ends: [Int32] = [0, 0]
        guard pipe(&ends) == 0 else { throw FileSystem.failure("cannot make a pipe to", arguments[0], errno) }
        let (readEnd, writeEnd) = (ends[0], ends[1])
        defer { close(readEnd) }
        // Another thread's child must not hold the pipe open.
        _ = fcntl(readEnd, F_SETFD, FD_CLOEXEC)
        _ = fcntl(writeEnd, F_SETFD, FD_CLOEXEC)
        let child: pid_t
        do {
            defer { close(writeEnd) }
            child = try spawn(arguments, standardError: writeEnd)
        }

        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(timeout)
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            meanwhile()
            if clock.now > deadline { kill(child, SIGKILL) }
            var waiting = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 100) > 0 else { continue }
            let count = read(readEnd, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            // Enough for any message; a program that writes for ever is read, but not kept.
            if text.count < 1 << 16 { text += buffer[..<count] }
        }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        return Outcome(
            status: signal == 0 ? status >> 8 & 0xFF : 128 + signal,
            errorText: String(decoding: text, as: UTF8.self)
        )
    }

    private static func spawn(_ arguments: [String], standardError: Int32) throws -> pid_t {
        #if canImport(Darwin)
            var actions: posix_spawn_file_actions_t?
            var attributes: posix_spawnattr_t?
        #else
            var actions = posix_spawn_file_actions_t()
            var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, standardError, 2)
        // The child must be open to signals even where this program blocks them.
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))

        let environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
        var child: pid_t = 0
        let code = withCStrings(arguments) { argv in
            withCStrings(environment) { envp in
                posix_spawnp(&child, arguments[0], &actions, &attributes, argv, envp)
            }
        }
        guard code == 0 else {
            throw UserError(.other, "cannot run \(arguments[0]): \(String(cString: strerror(code)))")
        }
        return child
    }

    /// Calls `body` with a null-terminated array of C strings.
    private static func withCStrings<Result>(
        _ strings: [String],
        _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        let pointers = strings.map { strdup($0) } + [nil]
        defer { pointers.forEach { free($0) } }
        return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
    }
}
