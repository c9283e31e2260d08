import Collectives
import Platform

/// An error that every rank of a job finds alike, at the same place: each leaves by itself, and one report is enough.
public struct JobError: FoundByAllRanks, CustomStringConvertible {
    /// The error itself, which decides the exit code.
    public let error: UserError

    /// The error's message.
    public var description: String { error.description }
}

extension Communicator {
    /// The form in which an error leaves that all ranks find alike; alone, the error itself.
    func common(_ error: UserError) -> any Error { worldSize > 1 ? JobError(error: error) : error }
}
