import Foundation
import Platform

@testable import Collectives
@testable import TestSupport

/// Ranks of one process with control connections between them. Some may be bare sockets that the test plays.
final class Star {
    let worldSize: Int
    /// nil where the test plays the rank itself, and after `kill`.
    private(set) var planes: [ControlPlane?]
    let boards: [ProgressBoard]
    let notes: [Notes]
    let stops: [StopRequest]
    /// The ends of the ranks that the test plays: of a worker, its socket to rank 0; of rank 0, those to all others.
    private(set) var sockets: [Int: [Int32]] = [:]

    init(_ worldSize: Int, playing: Set<Int> = [], limits: ControlThread.Limits = .quick) {
        self.worldSize = worldSize
        boards = (0..<worldSize).map { _ in
            let board = ProgressBoard()
            // Nobody is to be lost by standing still, unless the test says so.
            board.activity = .saving
            return board
        }
        notes = (0..<worldSize).map { _ in Notes() }
        stops = (0..<worldSize).map { _ in StopRequest() }
        planes = []
        let pairs = (1..<worldSize).map { ($0, Self.connection()) }
        for rank in 0..<worldSize {
            let ends = rank == 0 ? pairs.map { ($0.0, $0.1.0) } : [(0, pairs[rank - 1].1.1)]
            if playing.contains(rank) {
                sockets[rank] = ends.map(\.1)
                planes.append(nil)
            } else {
                planes.append(
                    ControlPlane(
                        rank: rank,
                        members: testMembers(worldSize),
                        peers: ends,
                        board: boards[rank],
                        limits: limits,
                        stop: stops[rank],
                        watchdog: notes[rank].watchdog
                    )
                )
            }
        }
    }

    /// Over TCP, where a connection that is closed with something unread in it is reset.
    private static func connection() -> (Int32, Int32) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                precondition(bind(listener, address, length) == 0 && listen(listener, 1) == 0)
                precondition(getsockname(listener, address, &length) == 0)
                precondition(connect(client, address, length) == 0)
            }
        }
        return (accept(listener, nil, nil), client)
    }

    deinit { for socket in sockets.values.joined() { close(socket) } }

    /// As if the process had died.
    func kill(_ rank: Int) {
        planes[rank] = nil
        for socket in sockets.removeValue(forKey: rank) ?? [] { close(socket) }
    }

    func play(_ rank: Int, _ bytes: [UInt8]) {
        for socket in sockets[rank]! { precondition(write(socket, bytes, bytes.count) == bytes.count) }
    }

    /// Waits until all of these ranks were to leave, and returns what each said.
    func verdicts(_ ranks: some Sequence<Int>) -> [String] { ranks.map { notes[$0].waitUntilLeft() } }

    /// Nobody said anything.
    var isSilent: Bool { notes.allSatisfy(\.isSilent) }

    /// Runs `body` for these ranks at the same time.
    func together(_ ranks: [Int], _ body: @escaping @Sendable (Int, ControlPlane) -> Void) {
        let threads = ranks.map { rank in
            let plane = planes[rank]!
            return SystemThread { body(rank, plane) }
        }
        for thread in threads { thread.join() }
    }
}

extension ControlThread.Limits {
    /// For tests of what shows without waiting: nobody is lost by silence.
    static let quick = Self(timeout: .seconds(60), patience: .milliseconds(60), lingering: .milliseconds(200))
    /// For tests that wait for it: long against what a busy machine keeps a thread waiting.
    static let short = Self(timeout: .milliseconds(600), patience: .milliseconds(60), lingering: .milliseconds(200))
}

/// A watchdog that writes down what it would have done.
final class Notes: @unchecked Sendable {
    private let condition = NSCondition()
    private var announced: [String] = []
    private var said: [String] = []
    private var codes: [Int32] = []

    var watchdog: Watchdog {
        Watchdog { failure in
            self.condition.withLock { self.announced.append("\(failure)") }
        } leave: { failure, code in
            self.condition.withLock {
                // Both are about the same, in this order.
                self.announced.append(self.announced == ["\(failure)"] ? "" : "left for \(failure)")
                self.codes.append(code)
                self.condition.broadcast()
            }
        } leaveStopped: {
            self.condition.withLock {
                self.announced.append("stopped")
                self.codes.append(75)
                self.condition.broadcast()
            }
        } note: { line in
            self.condition.withLock { self.said.append(line) }
        }
    }

    /// What was said that ends nothing.
    var lines: [String] { condition.withLock { said } }

    var isSilent: Bool { condition.withLock { announced.isEmpty && codes.isEmpty } }
    var code: Int32? { condition.withLock { codes.first } }

    /// What was said, once only; a test that waits for ever is stopped by its time limit.
    func waitUntilLeft() -> String {
        condition.withLock {
            while codes.isEmpty { condition.wait() }
            return announced.joined(separator: " ").trimmingCharacters(in: .whitespaces)
        }
    }
}

/// Ranks by number, each on a host of its own.
func testMembers(_ count: Int) -> [Member] { (0..<count).map { Member(rank: $0, host: "host\($0)") } }
