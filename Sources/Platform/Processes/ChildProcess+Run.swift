extension ChildProcess {
    /// How a program that `run` started ended.
    public struct Outcome: Sendable {
        /// The exit status, or 128 + the signal that ended it, as a shell has it.
        public let status: Int32
        /// What it wrote to standard error.
        public let errorText: String
    }

    /// Runs a program that is found by PATH to its end, with standard input empty and standard output thrown away.
    ///
    /// - Parameters:
    ///   - arguments: the program's name first.
    ///   - timeout: seconds after which it is killed; the status is then 137.
    ///   - meanwhile: called about ten times a second.
    /// - Throws: `UserError(.other)` when the program cannot be started.
    public static func run(_ arguments: [String], timeout: Int, meanwhile: () -> Void) throws -> Outcome {
        let (readEnd, writeEnd) = try makePipe(to: arguments[0])
        defer { close(readEnd) }
        let child: ChildProcess
        do {
            defer { close(writeEnd) }
            child = try ChildProcess(arguments, descriptors: [STDERR_FILENO: writeEnd])
        }

        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(timeout)
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            meanwhile()
            if clock.now > deadline { kill(child.id, SIGKILL) }
            var waiting = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
            guard poll(&waiting, 1, 100) > 0 else { continue }
            let count = read(readEnd, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            // Enough for any message; a program that writes for ever is read, but not kept.
            if text.count < 1 << 16 { text += buffer[..<count] }
        }
        return Outcome(status: child.wait().status, errorText: String(decoding: text, as: UTF8.self))
    }
}
