import Foundation
import Platform
import TestSupport

@testable import Collectives

/// Ranks of a job as threads that meet over loopback.
struct MeetingRanks {
    var worldSize: Int
    var host = "127.0.0.1"
    var secret = JobSecret("the secret of the tests")
    var timeout = Duration.seconds(20)
    var wantsRing = true
    var options: [(name: String, value: String)] = [("seed", "1337"), ("n_layer", "2")]
    var ports = PortRange.standard
    var quietWait = Duration.seconds(3)

    /// What one rank does otherwise than the rest.
    struct Change: Sendable {
        var secret: JobSecret?
        var job: String?
        var version: String?
        var worldSize: Int?
        var timeout: Duration?
        var interface: String?
        var options: [(name: String, value: String)]?
        var ports: PortRange?
        var delay: Duration?
    }

    /// How it ended: a meeting whose descriptors belong to the test, or why there was none.
    typealias Outcome = Result<Meeting, any Error>

    static var hasIPv6: Bool {
        SocketAddress(numeric: "::1", port: 0).flatMap { try? Socket.listening(on: $0) } != nil
    }

    /// A listener on a port that nobody else has.
    func listener() throws -> Socket { try Socket.listening(on: SocketAddress(numeric: host, port: 0)!) }

    func rendezvous(
        _ rank: Int,
        port: UInt16,
        _ change: Change = Change(),
        note: @escaping @Sendable (String) -> Void = { _ in }
    ) -> Rendezvous {
        Rendezvous(
            place: JobPlace(
                launcher: .variables,
                rank: rank,
                worldSize: change.worldSize ?? worldSize,
                localWorldSize: nil,
                masterAddress: host,
                masterPort: port,
                jobID: change.job ?? "tests"
            ),
            secret: change.secret ?? secret,
            version: change.version ?? "1",
            options: SharedOptions(change.options ?? options),
            interface: change.interface ?? "",
            ports: change.ports ?? ports,
            meetTimeout: change.timeout ?? timeout,
            timeout: change.timeout ?? timeout,
            wantsRing: wantsRing,
            note: note,
            quietWait: quietWait
        )
    }

    /// Rank 1 on a thread of its own, which meets at an address where something else may be at first.
    func meetLater(_ port: UInt16, _ notes: Guarded<[String]>) -> (thread: SystemThread, outcome: Guarded<Outcome?>) {
        let outcome = Guarded<Outcome?>(nil)
        let thread = SystemThread {
            let result = Outcome {
                try rendezvous(1, port: port) { line in notes.withLock { $0.append(line) } }.meet()
            }
            outcome.withLock { $0 = result }
        }
        return (thread, outcome)
    }

    /// Runs ranks on threads of their own.
    ///
    /// - Parameters:
    ///   - ranks: may lack some, and have some twice.
    ///   - intrude: called with the port before any rank comes; what it returns is kept until all have ended.
    ///   - before: called with the port on the thread of a rank other than 0, before it comes; what it returns is kept until it has met.
    /// - Returns: how each ended, in the order of `ranks`, and what rank 0 noted.
    func run(
        _ ranks: [Int]? = nil,
        changes: [Int: Change] = [:],
        intrude: (UInt16) throws -> [Socket] = { _ in [] },
        before: [Int: @Sendable (UInt16) -> [Socket]] = [:]
    ) throws -> (outcomes: [Outcome], notes: [String]) {
        let listener = try listener()
        let port = listener.localAddress!.port
        let strangers = try intrude(port)
        let ranks = ranks ?? Array(0..<worldSize)
        let box = Box(listener, ranks.count)
        let threads = ranks.enumerated().map { index, rank in
            let change = changes[index] ?? Change()
            return SystemThread {
                let companions = before[index]?(port)
                defer { withExtendedLifetime(companions) {} }
                if let delay = change.delay { usleep(UInt32(delay / .microseconds(1))) }
                box.set(
                    index,
                    Outcome {
                        try rendezvous(rank, port: port, change, note: box.note)
                            .meet(listeners: rank == 0 ? [box.listener] : [])
                    }
                )
            }
        }
        for thread in threads { thread.join() }
        withExtendedLifetime(strangers) {}
        return (box.outcomes.map { $0! }, box.notes)
    }

    private final class Box: @unchecked Sendable {
        let listener: Socket
        private(set) var outcomes: [Outcome?]
        private(set) var notes: [String] = []
        private let lock = NSLock()

        init(_ listener: Socket, _ count: Int) {
            self.listener = listener
            outcomes = [Outcome?](repeating: nil, count: count)
        }

        func set(_ index: Int, _ outcome: Outcome) { lock.withLock { outcomes[index] = outcome } }
        func note(_ text: String) { lock.withLock { notes.append(text) } }
    }
}

extension Meeting {
    /// Takes the descriptors over, so that they are closed in the end.
    func sockets() -> (control: [Int: Socket], next: Socket?, previous: Socket?) {
        (
            Dictionary(uniqueKeysWithValues: control.map { ($0.rank, Socket(adopting: $0.descriptor)) }),
            ring.map { Socket(adopting: $0.next) }, ring.map { Socket(adopting: $0.previous) }
        )
    }
}

extension Result where Failure == any Error {
    /// What the user reads; nil where nothing failed.
    var message: String? {
        guard case .failure(let error) = self else { return nil }
        return "\(error)"
    }

    /// Whether it is the user's to change, with exit code 64.
    var isUsage: Bool {
        if case .failure(CollectiveError.usage) = self { true } else { false }
    }
}
