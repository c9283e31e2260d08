import Formats

/// Reads configuration files: flat `key = value` lines with `#` comments, as in nanoGPT's config/*.py and plain TOML.
enum ConfigurationFile {
    /// The assignments of a file in their order.
    ///
    /// - Throws: `UserError` with file and line where something else stands, or a key that does not exist.
    static func settings(path: String) throws -> [ConfigurationSetting] {
        switch FileSystem.kind(of: path) {
        case nil: throw UserError(.usage, "configuration file \(path): does not exist")
        case .folder: throw UserError(.usage, "configuration file \(path): is a folder")
        case .file, .other: break
        }
        guard let text = String(validating: try FileSystem.read(path), as: UTF8.self) else {
            throw UserError(
                .usage,
                "configuration file \(path): not UTF-8 text; it should hold lines such as key = value"
            )
        }
        return try settings(text: text, path: path)
    }

    static func settings(text: String, path: String) throws -> [ConfigurationSetting] {
        let text = text.first == "\u{FEFF}" ? text.dropFirst() : Substring(text)
        let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        var settings: [ConfigurationSetting] = []
        for (index, line) in lines.enumerated() {
            let origin = ConfigurationOrigin.file(path: path, line: index + 1)
            let content = withoutComment(line).trimmingSpaces()
            if content.isEmpty { continue }
            guard let (name, literal) = assignment(content) else {
                throw UserError(
                    .usage,
                    "\(origin): \(content.prefix(60)) is not a plain assignment; a line is key = value, with a number, "
                        + "true or false, or text in quotes"
                )
            }
            guard let key = ConfigurationKey.named(name) else {
                let hint = NearestName.hint(for: name, among: ConfigurationKey.all.map(\.name))
                throw UserError(.usage, "\(origin): unknown key \(name)\(hint)")
            }
            guard !key.onlyOnCommandLine else {
                throw UserError(.usage, "\(origin): \(name) works only on the command line, as --\(name)")
            }
            settings.append(ConfigurationSetting(key: key, text: literal, origin: origin))
        }
        return settings
    }

    /// The line up to a `#` that does not stand in quotes.
    static func withoutComment(_ line: Substring) -> Substring {
        var quote: Unicode.Scalar?
        var isEscaped = false
        for index in line.unicodeScalars.indices {
            let scalar = line.unicodeScalars[index]
            if let open = quote {
                if isEscaped {
                    isEscaped = false
                } else if scalar == "\\", open == "\"" {
                    isEscaped = true
                } else if scalar == open {
                    quote = nil
                }
            } else if scalar == "#" {
                return line[..<index]
            } else if scalar == "\"" || scalar == "'" {
                quote = scalar
            }
        }
        return line
    }

    /// `name = literal`, or nil where the left is no name or the right no literal (a call, a sum, a list).
    static func assignment(_ content: Substring) -> (name: String, literal: String)? {
        guard let equals = content.firstIndex(of: "=") else { return nil }
        let name = content[..<equals].trimmingSpaces()
        let literal = String(content[content.index(after: equals)...].trimmingSpaces())
        guard !name.isEmpty, name.utf8.allSatisfy({ isNameByte($0) }) else { return nil }
        let isLiteral =
            ConfigurationLiteral.quoted(literal) != nil || ConfigurationLiteral.number(literal) != nil
            || ConfigurationLiteral.boolean(literal) != nil
        return isLiteral ? (String(name), literal) : nil
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
