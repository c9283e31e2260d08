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

    /// Nil for anything but the text of a hello.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "\t", omittingEmptySubsequences: false)
        guard parts.count == 3, !text.contains("\n"), let port = UInt16(parts[2]) else { return nil }
        self.init(host: String(parts[0]), address: String(parts[1]), port: port)
    }

    var text: String { "\(host)\t\(address)\t\(port)" }

    /// After its length in two bytes, with what this rank must have in common with the others on the following lines.
    func message(_ options: SharedOptions) -> [UInt8] {
        let bytes = Array((text + "\n").utf8) + options.bytes
        return [UInt8(bytes.count >> 8), UInt8(bytes.count & 255)] + bytes
    }

    /// The two parts of a message without its length; nil for anything else.
    static func read(_ message: [UInt8]) -> (hello: Hello, options: SharedOptions)? {
        guard let end = message.firstIndex(of: UInt8(ascii: "\n")),
            let hello = Hello(String(decoding: message[..<end], as: UTF8.self))
        else { return nil }
        return (hello, SharedOptions(bytes: Array(message[(end + 1)...])))
    }

    func ringAddress(orElse host: String) -> SocketAddress? {
        SocketAddress(numeric: address.isEmpty ? host : address, port: port)
    }
}

/// What rank 0 tells a rank that came: all members, or why there will be none, or why it does not belong here.
enum Roster {
    /// The name of this meeting is random: ranks of another job with the same id and secret do not know it.
    case members([Hello], meeting: String)
    case failure(Failure)
    case turnedAway(String)

    private static let longest = 1 << 20

    var message: [UInt8] {
        let text =
            switch self {
            case .members(let hellos, let meeting):
                "members\n\(meeting)\n" + hellos.map(\.text).joined(separator: "\n")
            case .failure(let failure): "failure\n\(failure.bounded.culprit)\n\(failure.bounded.reason)"
            case .turnedAway(let reason): "turned away\n\(reason)"
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
        if lines.first == "turned away", lines.count == 2 { return .turnedAway(lines[1]) }
        guard lines.first == "members", lines.count == worldSize + 2 else {
            throw SocketError("a roster of \(lines.count - 2) ranks, not \(worldSize)", nil)
        }
        let hellos = lines.dropFirst(2).compactMap { Hello($0) }
        guard hellos.count == worldSize else { throw SocketError("a malformed roster", nil) }
        return .members(hellos, meeting: lines[1])
    }
}

extension [Hello] {
    /// The members of a job whose ranks these are.
    var members: [Member] { enumerated().map { Member(rank: $0, host: $1.host) } }
}
