extension ChildProcess {
    /// The result of `run`.
    public struct Outcome: Sendable {
        /// The exit status, or 128 plus the number of the signal, as shells report it.
        public let status: Int32
        /// What the program wrote to standard error, at most 64 KiB.
        public let errorText: String
    }

    /// Finds a program in `PATH`, runs it and waits for its end. Standard input and output are /dev/null.
    ///
    /// - Parameters:
    ///   - arguments: the program's name first.
    ///   - timeout: seconds after which it is killed; the status is then 137.
    ///   - meanwhile: called about ten times a second.
    /// - Throws: `UserError(.other)` if the program cannot be started.
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
            // 64 KiB is enough for any message. Read and drop the rest, so that the program does not block.
            if text.count < 1 << 16 { text += buffer[..<count] }
        }
        return Outcome(status: child.wait().status, errorText: String(decoding: text, as: UTF8.self))
    }
}
