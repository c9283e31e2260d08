/// What can go wrong between ranks.
public enum CollectiveError: Error, Equatable, Sendable {
    /// What was asked for cannot be: one line with the value and the mend.
    case usage(String)
    /// A peer was lost or the network failed.
    case failed(Failure)
}

/// The first thing that failed in a job: every rank that leaves because of it names the same.
public struct Failure: Error, Equatable, Sendable {
    /// Who or what failed, such as `rank 2 (node7)` or `the link from rank 1 (a) to rank 2 (b)`.
    public let culprit: String
    /// What happened to it, such as `its connection closed`.
    public let reason: String

    /// A culprit and what happened to it, in words for messages.
    public init(culprit: String, reason: String) {
        self.culprit = culprit
        self.reason = reason
    }
}

extension Failure: CustomStringConvertible {
    /// `rank 2 (node7): its connection closed`
    public var description: String { "\(culprit): \(reason)" }
}

extension CollectiveError: CustomStringConvertible {
    /// One line, without the kind of error.
    public var description: String {
        switch self {
        case .usage(let message): message
        case .failed(let failure): failure.description
        }
    }
}

/// An error that every rank finds alike and at the same place, so that nobody is at fault for leaving.
public protocol FoundByAllRanks: Error {}
