import Crypto

/// How two ranks make sure of each other before anything else is read: each proves with HMAC-SHA256 over fresh numbers of both
/// sides that it knows the job's secret, and that it means the same job, size, version and purpose.
///
/// ```
/// connecting → accepting   greeting: magic, version, job, world size, rank, purpose, peer, nonce
/// accepting → connecting   magic, nonce
/// connecting → accepting   HMAC("connects", greeting, nonce)
/// accepting → connecting   verdict, HMAC("accepts", greeting, nonce, verdict)
/// ```
/// All sizes are fixed, so nothing that a stranger sends decides how much is read.
struct Greeting: Equatable {
    enum Purpose: UInt32 {
        case control = 1
        case ring = 2
    }

    var version: String
    var job: String
    var worldSize: Int
    var rank: Int
    var purpose: Purpose
    /// The rank that is meant to accept: an address may lead to another machine than its owner believes.
    var peer: Int
    var nonce: [UInt8]

    static let size = 8 + 32 + 32 + 16 + Greeting.nonceSize
    static let nonceSize = 32
    static let magic = Array("DDPTRN02".utf8)
    /// What the magic of every version begins with.
    private static let family = 6

    static func freshNonce() -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<nonceSize).map { _ in generator.next() }
    }

    /// Version and job as hashes, so that they have one length.
    var bytes: [UInt8] {
        Self.magic + Array(SHA256.hash(data: Array(version.utf8))) + Array(SHA256.hash(data: Array(job.utf8)))
            + Self.word(UInt32(worldSize)) + Self.word(UInt32(rank)) + Self.word(purpose.rawValue)
            + Self.word(UInt32(peer)) + nonce
    }

    static func word(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * (3 - $0))) } }

    static func word(at offset: Int, of bytes: [UInt8]) -> UInt32 {
        bytes[offset..<offset + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// The rank that a greeting names.
    static func rank(in bytes: [UInt8]) -> Int { Int(word(at: 76, of: bytes)) }

    /// Whether it begins as greetings do; anything else is not worth an answer.
    static func isGreeting(_ bytes: [UInt8]) -> Bool { Array(bytes.prefix(magic.count)) == magic }

    /// Whether a program of this name sent it, of another version if it is no greeting.
    static func isOfFamily(_ bytes: [UInt8]) -> Bool { bytes.prefix(family) == magic.prefix(family) }

    /// What is wrong with a greeting whose sender knows the secret.
    static func verdict(on bytes: [UInt8], expected: Greeting) -> Verdict {
        var mine = expected
        mine.nonce = Array(bytes.suffix(nonceSize))
        mine.rank = rank(in: bytes)
        let own = mine.bytes
        func differ(_ range: Range<Int>) -> Bool { own[range] != bytes[range] }
        if differ(8..<40) { return .otherVersion }
        if differ(40..<72) { return .otherJob }
        if differ(72..<76) { return .otherWorldSize }
        if differ(80..<84) { return .otherPurpose }
        if differ(84..<88) { return .otherRank }
        return mine.rank < mine.worldSize ? .welcome : .otherWorldSize
    }
}

/// How the accepting side answers.
enum Verdict: UInt32 {
    case welcome = 0
    case wrongSecret, otherVersion, otherJob, otherWorldSize, otherPurpose, otherRank, duplicateRank

    /// To follow "rank 3": why it was turned away.
    var reason: String {
        switch self {
        case .welcome: "is welcome"
        case .wrongSecret: "has another secret (\(JobSecret.variable) or \(JobSecret.fileVariable))"
        case .otherVersion: "is another version of ddp-train"
        case .otherJob: "belongs to another job (its id, DDP_TRAIN_JOB_ID or the launcher's, is another)"
        case .otherWorldSize: "has another number of ranks (WORLD_SIZE)"
        case .otherPurpose: "came to the wrong port"
        case .otherRank: "looked for another rank here: several machines may have this address, choose an --interface"
        case .duplicateRank: "is there already (two processes have this RANK, or two jobs this port)"
        }
    }
}

struct Handshake {
    let secret: JobSecret

    static let proofSize = 32
    static let answerSize = 4 + 32
    /// For the whole of it, however slowly bytes come.
    static let limit = Duration.seconds(5)

    func proof(_ greeting: [UInt8], nonce: [UInt8]) -> [UInt8] { code("connects", greeting + nonce) }

    func isProof(_ proof: [UInt8], of greeting: [UInt8], nonce: [UInt8]) -> Bool {
        isCode(proof, "connects", greeting + nonce)
    }

    func answer(_ verdict: Verdict, _ greeting: [UInt8], nonce: [UInt8]) -> [UInt8] {
        let word = Greeting.word(verdict.rawValue)
        return word + code("accepts", greeting + nonce + word)
    }

    /// The connecting side's part.
    ///
    /// - Throws: `Refusal` when the other side turns this one away or does not know the secret; `SocketError`, also when another
    ///   program answers.
    func connect(_ socket: Socket, as greeting: Greeting, by deadline: ContinuousClock.Instant) throws {
        let deadline = min(deadline, .now + Self.limit)
        let bytes = greeting.bytes
        try socket.write(bytes, by: deadline)
        let magic = try socket.read(Greeting.magic.count, by: deadline)
        guard magic == Greeting.magic else { throw SocketError(Self.stranger(magic, socket), nil) }
        let nonce = try socket.read(Greeting.nonceSize, by: deadline)
        try socket.write(proof(bytes, nonce: nonce), by: deadline)
        let answer = try socket.read(Self.answerSize, by: deadline)
        guard let verdict = Verdict(rawValue: Greeting.word(at: 0, of: answer)) else {
            throw Refusal(verdict: .wrongSecret)
        }
        // Who has another secret cannot sign what it says, and is believed that much.
        guard verdict != .wrongSecret else { throw Refusal(verdict: .wrongSecret) }
        guard isCode(Array(answer[4...]), "accepts", bytes + nonce + answer[..<4]) else {
            throw Refusal(verdict: .wrongSecret)
        }
        guard verdict == .welcome else { throw Refusal(verdict: verdict) }
    }

    struct Refusal: Error {
        let verdict: Verdict
    }

    /// What answers where a rank should: many programs say their name first, as `SSH-2.0-OpenSSH_9.2` does.
    private static func stranger(_ first: [UInt8], _ socket: Socket) -> String {
        guard !Greeting.isOfFamily(first) else { return "it is another version of ddp-train" }
        let line = (first + (socket.readAvailable(40) ?? [])).prefix { (32..<127).contains($0) }
        let found = line.count < 4 ? "other bytes" : "\"\(String(decoding: line, as: UTF8.self))\""
        return "it sends \(found), so another program has this port"
    }

    private func code(_ side: String, _ bytes: [UInt8]) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(side.utf8) + bytes, using: secret.key))
    }

    /// In constant time.
    private func isCode(_ code: [UInt8], _ side: String, _ bytes: [UInt8]) -> Bool {
        HMAC<SHA256>.isValidAuthenticationCode(code, authenticating: Array(side.utf8) + bytes, using: secret.key)
    }
}
