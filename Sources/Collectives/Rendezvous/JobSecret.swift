import Crypto
import Platform

/// What the ranks of a job know and nobody else: connections are trusted only when both ends prove that they know it.
public struct JobSecret: Sendable {
    let key: SymmetricKey
    /// Whether it is the one that everybody knows, which serves on loopback alone.
    public let isPublic: Bool

    static let variable = "DDP_TRAIN_SECRET"
    static let fileVariable = "DDP_TRAIN_SECRET_FILE"
    private static let shortest = 16
    private static let longest = 1 << 16

    /// A secret that is known here already; its length is not checked.
    public init(_ text: String) {
        self.init(Array(text.utf8))
    }

    private init(_ bytes: [UInt8]) {
        key = SymmetricKey(data: bytes)
        isPublic = false
    }

    private init() {
        key = SymmetricKey(data: Array("no secret: loopback only".utf8))
        isPublic = true
    }

    /// For a job whose ranks never leave one machine.
    static let none = JobSecret()

    /// 64 hexadecimal digits that nobody can guess.
    public static func randomText() -> String {
        var generator = SystemRandomNumberGenerator()
        return (0..<4).map { _ in
            let digits = String(generator.next() as UInt64, radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }.joined()
    }

    /// The secret of the environment, or none where it has none. It is never an argument: those can be seen by every user of a
    /// machine.
    ///
    /// - Parameter note: told of a file that others could read if they came to it.
    /// - Throws: `CollectiveError.usage`.
    public static func of(environment: [String: String], note: (String) -> Void = { _ in }) throws -> JobSecret {
        let (text, path) = (environment[variable] ?? "", environment[fileVariable] ?? "")
        guard text.isEmpty || path.isEmpty else {
            throw CollectiveError.usage("\(variable) and \(fileVariable) are both set: keep one of them")
        }
        if text.isEmpty, path.isEmpty { return none }
        let source = path.isEmpty ? variable : "\(fileVariable)=\(path)"
        guard !text.contains("\u{FFFD}") else {
            throw CollectiveError.usage(
                "\(variable) is no text in UTF-8: put the bytes into a file that only you can read, and set \(fileVariable)"
            )
        }
        let secret = trimmed(path.isEmpty ? Array(text.utf8) : try contents(of: path, environment, note))
        guard secret.count >= shortest else {
            throw CollectiveError.usage(
                "\(source): a secret of \(secret.count) bytes is too short, take at least \(shortest): openssl rand -hex 32"
            )
        }
        return JobSecret(secret)
    }

    private static func contents(
        of path: String,
        _ environment: [String: String],
        _ note: (String) -> Void
    ) throws -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CollectiveError.usage("\(fileVariable)=\(path): cannot be read: \(errorText(errno))")
        }
        defer { close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        let place = SecretPlace.of(descriptor: descriptor, environment: environment)
        switch place.access(mode: status.st_mode & 0o7777, owner: status.st_uid) {
        case .none: break
        case .privateMount(let notice): note("\(fileVariable)=\(path): \(notice)")
        case .open(let reason):
            throw CollectiveError.usage("\(fileVariable)=\(path): \(reason): chmod 600 \(path)")
        }
        var bytes = [UInt8](repeating: 0, count: longest + 1)
        var count = 0
        while count < bytes.count {
            let got = bytes.withUnsafeMutableBytes { read(descriptor, $0.baseAddress! + count, $0.count - count) }
            if got < 0, errno == EINTR { continue }
            guard got >= 0 else {
                throw CollectiveError.usage("\(fileVariable)=\(path): cannot be read: \(errorText(errno))")
            }
            guard got > 0 else { break }
            count += got
        }
        guard count <= longest else {
            throw CollectiveError.usage(
                "\(fileVariable)=\(path): is longer than \(longest) bytes: openssl rand -hex 32"
            )
        }
        return Array(bytes.prefix(count))
    }

    private static func trimmed(_ bytes: [UInt8]) -> [UInt8] {
        let isSpace: (UInt8) -> Bool = { Array(" \t\r\n".utf8).contains($0) }
        return bytes.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
    }
}
