/// An error that a user can cause and fix: a message of one line, and the exit code of the program.
public struct UserError: Error, Equatable, CustomStringConvertible, Sendable {
    /// The kind of failure. The raw value is the exit code, from sysexits.h where that has one.
    public enum Kind: Int32, Sendable {
        /// Wrong usage or configuration.
        case usage = 64
        /// Bad data or a bad checkpoint.
        case data = 65
        /// A peer was lost, or the network failed.
        case network = 69
        /// Input or output failed.
        case inputOutput = 74
        /// Anything else.
        case other = 1
    }

    /// The kind of failure, which decides the exit code.
    public let kind: Kind
    /// One line: what failed, with which value, and what to do.
    public let message: String

    /// Creates an error.
    ///
    /// - Parameters:
    ///   - kind: the kind of failure, which determines the exit code.
    ///   - message: one line: what failed, with which value, and what to do.
    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// The message.
    public var description: String { message }
}

/// Exit codes that do not stand for an error.
public enum ExitStatus {
    /// The run was stopped by a signal, after saving.
    public static let stopped: Int32 = 75
}
