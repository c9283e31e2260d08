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
    /// What rank 0 finds, such as on its disk, on every rank. Only rank 0 looks.
    ///
    /// - Throws: what rank 0's `body` throws, on every rank, if it is a `UserError`; `CollectiveError.failed`.
    public func foundByMain(_ body: () throws -> String) throws -> String {
        guard worldSize > 1 else { return try body() }
        var message: [UInt8] = []
        if isMain {
            do { message = [0] + Array(try body().utf8) } catch let error as UserError {
                message = [UInt8(error.kind.rawValue)] + Array(error.message.utf8)
            }
        }
        let told = try broadcast(message: message)
        let text = String(decoding: told.dropFirst(), as: UTF8.self)
        guard let kind = told.first.flatMap({ UserError.Kind(rawValue: Int32($0)) }) else { return text }
        throw common(UserError(kind, text))
    }

    /// An error that all ranks find, in the form to throw; with one rank, the error itself.
    func common(_ error: UserError) -> any Error { worldSize > 1 ? JobError(error: error) : error }
}
