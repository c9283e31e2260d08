import Platform

/// Reads configuration files: flat `key = value` lines with `#` comments, as in nanoGPT's config/*.py and plain TOML.
enum ConfigurationFile {
    /// What a file says.
    struct Content {
        /// Its assignments, in their order.
        var settings: [ConfigurationSetting] = []
        /// Lines that were passed over, as they are harmless: imports, and names of wandb runs that are made by a call.
        var passedOver: [Int] = []

        /// What the user should know of `passedOver`; nil for nothing.
        func notice(path: String) -> String? {
            guard !passedOver.isEmpty else { return nil }
            let lines = passedOver.map(String.init).joined(separator: ", ")
            return
                "\(path): passed over line\(passedOver.count == 1 ? "" : "s") \(lines) (imports, and names of wandb runs: see TensorBoard)"
        }
    }

    /// - Throws: `UserError` with file and line where something else than an assignment stands, or a key that does not exist.
    static func content(path: String) throws -> Content {
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
        return try content(text: text, path: path)
    }

    static func content(text: String, path: String) throws -> Content {
        let text = text.first == "\u{FEFF}" ? text.dropFirst() : Substring(text)
        let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" }
        var result = Content()
        for (index, line) in lines.enumerated() {
            let origin = ConfigurationOrigin.file(path: path, line: index + 1)
            let content = withoutComment(line).trimmingSpaces()
            if content.isEmpty { continue }
            if isImport(content) {
                result.passedOver.append(index + 1)
                continue
            }
            guard let (name, literal) = assignment(content) else {
                // nanoGPT's files name a run by the time of day.
                if let name = assignedName(content), name.hasPrefix("wandb_"),
                    ConfigurationKey.named(name).map({ $0.kind == .text }) ?? true
                {
                    result.passedOver.append(index + 1)
                    continue
                }
                throw UserError(
                    .usage,
                    "\(origin): \(content.prefix(60)) is not a plain assignment; write the value itself, as key = "
                        + "value with a number, true or false, or text in quotes"
                )
            }
            guard let key = ConfigurationKey.named(name) else {
                if name.hasPrefix("wandb_") {
                    result.passedOver.append(index + 1)
                    continue
                }
                let hint = NearestName.hint(for: name, among: ConfigurationKey.all.map(\.name))
                throw UserError(.usage, "\(origin): unknown key \(name)\(hint)")
            }
            guard !key.onlyOnCommandLine else {
                throw UserError(.usage, "\(origin): \(name) works only on the command line, as --\(name)")
            }
            result.settings.append(ConfigurationSetting(key: key, text: literal, origin: origin))
        }
        return result
    }

    private static func isImport(_ content: Substring) -> Bool {
        // What stands behind a semicolon could be a setting.
        guard !content.contains(";") else { return false }
        let words = content.split { $0 == " " || $0 == "\t" }
        return words.count > 1 && (words[0] == "import" || words[0] == "from" && words.contains("import"))
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
        guard let name = assignedName(content), let equals = content.firstIndex(of: "=") else { return nil }
        let literal = String(content[content.index(after: equals)...].trimmingSpaces())
        let isLiteral =
            ConfigurationLiteral.quoted(literal) != nil || ConfigurationLiteral.number(literal) != nil
            || ConfigurationLiteral.boolean(literal) != nil
        return isLiteral ? (name, literal) : nil
    }

    /// What stands before the first `=`, if it is a name.
    private static func assignedName(_ content: Substring) -> String? {
        guard let equals = content.firstIndex(of: "=") else { return nil }
        let name = content[..<equals].trimmingSpaces()
        guard !name.isEmpty, name.utf8.allSatisfy({ isNameByte($0) }) else { return nil }
        return String(name)
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
