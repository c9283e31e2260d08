import Collectives
import Platform

/// An error that every rank of a job finds at the same place. Each rank exits on its own, and one report is enough.
public struct JobError: FoundByAllRanks, CustomStringConvertible {
    /// The error itself, which decides the exit code.
    public let error: UserError

    /// The error's message.
    public var description: String { error.description }
}

extension Communicator {
    /// An error that all ranks find, in the form to throw; with one rank, the error itself.
    func common(_ error: UserError) -> any Error { worldSize > 1 ? JobError(error: error) : error }
}
