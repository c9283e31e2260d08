/// A rank of a job and where it runs.
public struct Member: Equatable, Sendable {
    /// From 0.
    public let rank: Int
    /// The name of its machine, for messages; never resolved to an address.
    public let host: String

    /// Rank `rank`, counted from 0, on the machine named `host`.
    public init(rank: Int, host: String) {
        self.rank = rank
        self.host = host
    }
}

extension Member: CustomStringConvertible {
    /// `rank 2 (node7)`
    public var description: String { "rank \(rank) (\(host))" }
}
