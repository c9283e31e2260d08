import Platform

/// A run's `config.toml` as it was written: each value with the comment that says where it came from.
public struct SavedConfiguration: Sendable {
    /// One line of the file.
    public struct Entry: Equatable, Sendable {
        /// The heading above it.
        public let group: String
        /// The option's, with underscores.
        public let name: String
        /// Text without its quotes.
        public let value: String
        /// The comment after the value.
        public let origin: String
    }

    /// In the order of the file.
    public let entries: [Entry]
    /// Nil when a line is not what this program writes.
    public let values: TrainingConfiguration?

    /// Where the run in `outDir` has it.
    public static func path(outDir: String) -> String { outDir + "/config.toml" }

    /// What the run in `outDir` has there; empty where it has none.
    ///
    /// - Throws: `UserError(.inputOutput)` when it cannot be read.
    public static func text(outDir: String) throws -> String {
        let path = path(outDir: outDir)
        guard FileSystem.kind(of: path) == .file else { return "" }
        return String(decoding: try FileSystem.read(path, limit: 1 << 20), as: UTF8.self)
    }

    /// - Throws: `UserError(.inputOutput)` when it cannot be read.
    public init(path: String) throws {
        entries = Self.entries(String(decoding: try FileSystem.read(path, limit: 1 << 20), as: UTF8.self))
        values = try? ConfigurationSources(files: [path]).resolve().values
    }

    /// Lines `name = literal  # origin` under lines `# group`; others are passed over.
    static func entries(_ text: String) -> [Entry] {
        var group = ""
        var entries: [Entry] = []
        for line in text.split(whereSeparator: \.isNewline) {
            if line.hasPrefix("#") {
                group = String(line.dropFirst().trimmingSpaces())
                continue
            }
            let content = withoutComment(line)
            guard let equals = content.firstIndex(of: "=") else { continue }
            let literal = String(content[equals...].dropFirst().trimmingSpaces())
            entries.append(
                Entry(
                    group: group,
                    name: String(content[..<equals].trimmingSpaces()),
                    value: ConfigurationLiteral.quoted(literal) ?? literal,
                    origin: String(line[content.endIndex...].drop { $0 == "#" || $0 == " " })
                )
            )
        }
        return entries
    }

    /// The line up to a `#` that does not stand in double quotes.
    private static func withoutComment(_ line: Substring) -> Substring {
        var isQuoted = false
        var isEscaped = false
        for index in line.unicodeScalars.indices {
            let scalar = line.unicodeScalars[index]
            if scalar == "#", !isQuoted { return line[..<index] }
            if scalar == "\"", !isEscaped { isQuoted.toggle() }
            isEscaped = scalar == "\\" && !isEscaped
        }
        return line
    }
}
