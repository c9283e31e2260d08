/// An error that a user can cause and mend: one line, and the exit code it ends the program with.
public struct UserError: Error, Equatable, CustomStringConvertible, Sendable {
    /// What kind of failure it is; the raw value is the exit code, as in sysexits.h where it has one.
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

    /// Which exit code it ends the program with.
    public let kind: Kind
    /// One line: what failed, with which value, and what to do.
    public let message: String

    /// `message` is one line, with the value and the mend.
    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// The message alone.
    public var description: String { message }
}

/// The exit codes that are no error's.
public enum ExitStatus {
    /// Stopped by a signal, after saving.
    public static let stopped: Int32 = 75
}
