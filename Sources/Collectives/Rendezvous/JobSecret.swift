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

    /// A secret that is known here already; its length is not checked.
    public init(_ text: String) {
        key = SymmetricKey(data: Array(text.utf8))
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
    /// - Throws: `CollectiveError.usage`.
    public static func of(environment: [String: String]) throws -> JobSecret {
        let (text, path) = (environment[variable] ?? "", environment[fileVariable] ?? "")
        guard text.isEmpty || path.isEmpty else {
            throw CollectiveError.usage("\(variable) and \(fileVariable) are both set: keep one of them")
        }
        if text.isEmpty, path.isEmpty { return none }
        let source = path.isEmpty ? variable : "\(fileVariable)=\(path)"
        let secret = trimmed(path.isEmpty ? text : try contents(of: path))
        guard secret.utf8.count >= shortest else {
            throw CollectiveError.usage(
                "\(source): a secret of \(secret.utf8.count) bytes is too short, take at least \(shortest): openssl rand -hex 32"
            )
        }
        return JobSecret(secret)
    }

    private static func contents(of path: String) throws -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw CollectiveError.usage("\(fileVariable)=\(path): cannot be read: \(errorText(errno))")
        }
        defer { close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        guard status.st_mode & 0o077 == 0 else {
            throw CollectiveError.usage("\(fileVariable)=\(path): others may read or change it: chmod 600 \(path)")
        }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        guard count >= 0 else {
            throw CollectiveError.usage("\(fileVariable)=\(path): cannot be read: \(errorText(errno))")
        }
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }

    private static func trimmed(_ text: String) -> String {
        let isSpace: (Character) -> Bool = { $0.isWhitespace || $0.isNewline }
        return String(text.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}
