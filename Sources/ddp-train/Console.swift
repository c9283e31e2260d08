import Platform

/// What commands say: results on standard output, everything else on standard error.
enum Console {
    /// One line about what failed, whatever stands in the values it names.
    static func error(_ message: String) { note(errorLine(message)) }

    static func errorLine(_ message: String) -> String {
        "ddp-train: error: " + message.split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// A line on standard error.
    static func note(_ line: String) {
        // Nobody is left to tell when standard error cannot be written.
        try? write(Array("\(line)\n".utf8), to: STDERR_FILENO, named: "standard error")
    }

    /// Text on standard output, at once.
    ///
    /// - Throws: `UserError` of kind `inputOutput`, as when a disk is full.
    static func output(_ text: String) throws {
        try output(Array(text.utf8))
    }

    static func output(_ bytes: [UInt8]) throws {
        try write(bytes, to: STDOUT_FILENO, named: "standard output")
    }

    /// Everything on standard input.
    static func input() throws -> [UInt8] {
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileSystem.failure("cannot read", "standard input", errno) }
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
    }

    /// The text that an argument means: `FILE:path`, `-` for standard input, else itself.
    static func text(of argument: String) throws -> [UInt8] {
        if argument == "-" { return try input() }
        let mark = "FILE:"
        return argument.hasPrefix(mark)
            ? try FileSystem.read(String(argument.dropFirst(mark.count))) : Array(argument.utf8)
    }

    private static func write(_ bytes: [UInt8], to file: Int32, named name: String) throws {
        guard bytes.withUnsafeBytes({ FileSystem.write($0, to: file) }) else {
            throw FileSystem.failure("cannot write to", name, errno)
        }
    }
}
