import Collectives
import Foundation
import Platform

/// Ranks as threads of the test's process.
public enum RankThreads {
    /// What carries messages between the threads.
    public enum Transport: String, CaseIterable, Sendable {
        case inProcess, sockets
    }

    /// Runs `body` on a thread for each rank, and returns what each returned, in order.
    public static func run<Result>(
        _ worldSize: Int,
        over transport: Transport = .inProcess,
        _ body: @escaping (Communicator) throws -> Result
    ) -> [Swift.Result<Result, any Error>] {
        switch transport {
        case .inProcess: run(Communicator.inProcess(worldSize: worldSize), body)
        case .sockets: run(Communicator.overSockets(worldSize: worldSize), body)
        }
    }

    /// The same over communicators that are there: one for each rank, in order.
    public static func run<Result>(
        _ communicators: [Communicator],
        _ body: @escaping (Communicator) throws -> Result
    ) -> [Swift.Result<Result, any Error>] {
        let ranks = Ranks(communicators, body)
        let threads = communicators.indices.map { rank in SystemThread { ranks.run(rank) } }
        for thread in threads { thread.join() }
        return ranks.results.map { $0! }
    }
}

/// What the ranks' threads share.
private final class Ranks<Result>: @unchecked Sendable {
    private(set) var results: [Swift.Result<Result, any Error>?]
    private let communicators: [Communicator]
    private let body: (Communicator) throws -> Result
    private let lock = NSLock()

    init(_ communicators: [Communicator], _ body: @escaping (Communicator) throws -> Result) {
        results = communicators.map { _ in nil }
        self.communicators = communicators
        self.body = body
    }

    func run(_ rank: Int) {
        let result = Swift.Result { try body(communicators[rank]) }
        // A rank that ends early must not leave the others waiting.
        if case .failure(let error) = result, !(error is any FoundByAllRanks) { communicators[rank].abort() }
        lock.withLock { results[rank] = result }
    }
}
