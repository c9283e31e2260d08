import Crypto

/// What all ranks of a job must have in common, such as options, as far as a rank knows it before it has met the others. Where two
/// jobs meet at one port, this tells them apart.
struct SharedOptions {
    let values: [(name: String, value: String)]

    private static let mostNamed = 3
    private static let longestValue = 200

    init(_ values: [(name: String, value: String)]) {
        self.values = values.map { ($0.name, Self.short($0.value)) }
    }

    /// Reads `bytes` of another rank.
    init(bytes: [UInt8]) {
        values = String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            return (String(parts[0]), parts.count > 1 ? Self.short(String(parts[1])) : "")
        }
    }

    /// Lines of `name=value`.
    var bytes: [UInt8] { Array(values.map { "\($0.name)=\($0.value)" }.joined(separator: "\n").utf8) }

    /// What a rank has otherwise than rank 0, in words that follow "because it"; nil when nothing differs. A name that one of them
    /// leaves out is not compared.
    ///
    /// - Parameter main: what rank 0 has.
    func difference(from main: SharedOptions) -> String? {
        let known = Dictionary(main.values.map { ($0.name, $0.value) }) { first, _ in first }
        let different = values.compactMap { own in
            known[own.name].flatMap { $0 == own.value ? nil : (own.name, own.value, main: $0) }
        }
        guard !different.isEmpty else { return nil }
        let named = different.prefix(Self.mostNamed).map { "\($0)=\($1) (rank 0: \($2.isEmpty ? "none" : $2))" }
        let others = different.count - named.count
        return "has " + named.joined(separator: ", ") + (others > 0 ? " and \(others) more options that differ" : "")
    }

    /// One line that fits into a message; of a longer value the beginning, and a hash that tells it from others.
    private static func short(_ value: String) -> String {
        let line = String(
            value.map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 32 || $0.value == 127 } ? " " : $0 }
        )
        guard line.utf8.count > longestValue else { return line }
        let hash = SHA256.hash(data: Array(line.utf8)).prefix(4).map { String($0, radix: 16) }.joined()
        return line.prefix(40) + "… (\(hash))"
    }
}
