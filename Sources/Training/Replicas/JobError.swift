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

    /// Tells all ranks what this one has found; every rank calls it.
    ///
    /// - Parameter found: nil where nothing is wrong.
    /// - Throws: on every rank, what the first rank has found, with its name; `CollectiveError.failed`.
    func agree(on found: UserError?) throws {
        let own = found.map { [UInt8(truncatingIfNeeded: $0.kind.rawValue)] + Array($0.message.utf8) } ?? []
        let all = try allGather(message: own)
        guard let rank = all.firstIndex(where: { !$0.isEmpty }) else { return }
        let message = String(decoding: all[rank].dropFirst(), as: UTF8.self)
        let kind = UserError.Kind(rawValue: Int32(all[rank][0])) ?? .other
        throw common(UserError(kind, worldSize > 1 ? "\(members[rank]): \(message)" : message))
    }
}
