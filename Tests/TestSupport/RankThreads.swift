import Foundation

@testable import Collectives

/// Ranks as threads of the test's process.
public enum RankThreads {
    public enum Transport: String, CaseIterable, Sendable {
        case inProcess, sockets

        func ring(_ worldSize: Int) -> [any RingTransport] {
            switch self {
            case .inProcess: return InProcessTransport.ring(worldSize: worldSize)
            case .sockets:
                let pairs = (0..<worldSize).map { _ in socketPair() }
                return (0..<worldSize).map { rank in
                    TCPTransport(
                        next: pairs[rank].0,
                        previous: pairs[(rank + worldSize - 1) % worldSize].1,
                        rank: rank,
                        worldSize: worldSize
                    )
                }
            }
        }
    }

    public static func socketPair() -> (Int32, Int32) {
        var pair: [Int32] = [0, 0]
        precondition(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
        return (pair[0], pair[1])
    }

    public static func members(_ count: Int) -> [Member] { (0..<count).map { Member(rank: $0, host: "host\($0)") } }

    /// Runs `body` on a thread for each rank, and returns what each returned, in order.
    public static func run<Result>(
        _ worldSize: Int,
        over transport: Transport = .inProcess,
        _ body: @escaping (Communicator) throws -> Result
    ) -> [Swift.Result<Result, any Error>] {
        run(transport.ring(worldSize), body)
    }

    static func run<Result>(
        _ ring: [any RingTransport],
        _ body: @escaping (Communicator) throws -> Result
    ) -> [Swift.Result<Result, any Error>] {
        let box = Box(ring, body)
        let threads = ring.indices.map { rank in SystemThread { box.run(rank) } }
        for thread in threads { thread.join() }
        return box.results.map { $0! }
    }
}

/// Carries what the ranks' threads share.
private final class Box<Result>: @unchecked Sendable {
    var results: [Swift.Result<Result, any Error>?]
    let ring: [any RingTransport]
    let body: (Communicator) throws -> Result
    let lock = NSLock()

    init(_ ring: [any RingTransport], _ body: @escaping (Communicator) throws -> Result) {
        results = ring.map { _ in nil }
        self.ring = ring
        self.body = body
    }

    func run(_ rank: Int) {
        let communicator = Communicator(rank: rank, members: RankThreads.members(ring.count)) { [self] in ring[rank] }
        let result = Swift.Result { try body(communicator) }
        // A rank that ends early must not leave the others waiting.
        if case .failure(let error) = result, !(error is any FoundByAllRanks) { ring[rank].abort() }
        lock.withLock { results[rank] = result }
    }
}
