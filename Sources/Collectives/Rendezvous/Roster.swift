/// What a rank says of itself: its host's name and where it listens for the ring.
///
/// The address is empty where the rank is to be reached as rank 0 is: by rank 0, and by ranks that came to it over loopback.
struct Hello {
    let host: String
    let address: String
    let port: UInt16

    init(host: String, address: String, port: UInt16) {
        self.host = host
        self.address = address
        self.port = port
    }

    init(_ bytes: [UInt8], rank: Int) throws {
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: "\t", omittingEmptySubsequences: false)
        guard parts.count == 3, !bytes.contains(UInt8(ascii: "\n")), let port = UInt16(parts[2]) else {
            throw CollectiveError.failed(Failure(culprit: "rank \(rank)", reason: "said nothing sensible of itself"))
        }
        self.init(host: String(parts[0]), address: String(parts[1]), port: port)
    }

    var text: String { "\(host)\t\(address)\t\(port)" }

    /// After its length in two bytes.
    var message: [UInt8] {
        let bytes = Array(text.utf8)
        return [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
    }

    func ringAddress(orElse host: String) -> SocketAddress? {
        SocketAddress(numeric: address.isEmpty ? host : address, port: port)
    }
}

/// What rank 0 tells everybody: all members, or why there will be none.
enum Roster {
    case members([Hello])
    case failure(Failure)

    private static let longest = 1 << 20

    var hellos: [Hello] { if case .members(let hellos) = self { hellos } else { [] } }
    var list: [Member] { hellos.enumerated().map { Member(rank: $0, host: $1.host) } }

    var message: [UInt8] {
        let text =
            switch self {
            case .members(let hellos): "members\n" + hellos.map(\.text).joined(separator: "\n")
            case .failure(let failure): "failure\n\(failure.culprit)\n\(failure.reason)"
            }
        let bytes = Array(text.utf8)
        return Greeting.word(UInt32(bytes.count)) + bytes
    }

    /// - Throws: `SocketError`, also when it does not name `worldSize` ranks.
    static func read(from socket: Socket, worldSize: Int, by deadline: ContinuousClock.Instant) throws -> Roster {
        let length = Int(Greeting.word(at: 0, of: try socket.read(4, by: deadline)))
        guard length <= longest else { throw SocketError("a roster of \(length) bytes", nil) }
        let text = String(decoding: try socket.read(length, by: deadline), as: UTF8.self)
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { String($0) }
        if lines.first == "failure", lines.count == 3 { return .failure(Failure(culprit: lines[1], reason: lines[2])) }
        guard lines.first == "members", lines.count == worldSize + 1 else {
            throw SocketError("a roster of \(lines.count - 1) ranks, not \(worldSize)", nil)
        }
        return .members(try lines.dropFirst().enumerated().map { try Hello(Array($1.utf8), rank: $0) })
    }
}
