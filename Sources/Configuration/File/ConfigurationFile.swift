import Platform

/// Reads configuration files: nanoGPT's config/*.py, and flat TOML. A file is not run: its statements are assignments of
/// values that are computed here, and anything else that could set an option is refused.
struct ConfigurationFile {
    /// What a file says.
    struct Content {
        /// Its assignments, in their order.
        var settings: [ConfigurationSetting] = []
        /// What the user should know of statements that set no option.
        var notices: [String] = []
    }

    private let path: String
    private let text: String
    private var settings: [ConfigurationSetting] = []
    private var names: ConfigurationExpression.Names = [:]
    private var imports: [(line: Int, names: Set<String>)] = []
    private var imported: Set<String> = []
    /// Names that are read in expressions.
    private var used: Set<String> = []
    /// Names that are no options, with the lines that assign to them first.
    private var ownNames: [(name: String, line: Int)] = []
    private var passedOver: [(line: Int, what: String)] = []

    /// - Throws: `UserError` with file and line for a key that does not exist, a value that cannot be computed, and a statement
    ///   that is neither an assignment nor harmless.
    static func content(path: String) throws -> Content {
        switch FileSystem.kind(of: path) {
        case nil: throw UserError(.usage, "configuration file \(path): does not exist")
        case .folder: throw UserError(.usage, "configuration file \(path): is a folder")
        case .file, .other: break
        }
        let file = try MappedFile(path: path)
        guard file.bytes.count <= 1 << 20, let text = String(validating: file.bytes, as: UTF8.self) else {
            throw UserError(
                .usage,
                "configuration file \(path): not UTF-8 text of at most 1 MiB; it should hold lines such as key = value"
            )
        }
        return try content(text: text, path: path)
    }

    static func content(text: String, path: String) throws -> Content {
        var file = ConfigurationFile(path: path, text: text)
        var lexer = ConfigurationLexer(text, isPython: path.hasSuffix(".py"))
        while let (line, tokens) = try file.located(&lexer) {
            try file.read(ConfigurationStatement(tokens: tokens), line)
        }
        for (name, line) in file.ownNames where !file.used.contains(name) {
            let hint = NearestName.hint(for: name, among: ConfigurationKey.all.map(\.name))
            throw UserError(.usage, "\(file.origin(line)): unknown key \(name)\(hint)")
        }
        return Content(settings: file.settings, notices: file.notices)
    }

    private init(path: String, text: String) {
        self.path = path
        self.text = text
    }

    private func located(_ lexer: inout ConfigurationLexer) throws -> (line: Int, tokens: [ConfigurationToken])? {
        do {
            return try lexer.next()
        } catch {
            throw self.error(error, lexer.line)
        }
    }

    private mutating func read(_ statement: ConfigurationStatement, _ line: Int) throws {
        let meaning: ConfigurationStatement.Meaning
        do {
            meaning = try statement.meaning(imported: imported)
        } catch {
            throw self.error(error, line)
        }
        switch meaning {
        case .nothing: break
        case .imported(let names):
            imports.append((line, names))
            imported.formUnion(names)
        case .passedOver(let what):
            passedOver.append((line, what))
            used.formUnion(statement.tokens.flatMap(\.names))
        case .assignment(let targets, let tokens):
            used.formUnion(Set(tokens.flatMap(\.names)).subtracting(targets))
            let value = Result { () throws(ConfigurationRefusal) in
                try ConfigurationExpression.value(of: tokens, names: names)
            }
            for target in targets { try assign(value, to: target, isPlain: tokens.count == 1, line) }
        }
    }

    /// - Parameter isPlain: whether a lone literal or name is assigned.
    private mutating func assign(
        _ value: Result<ConfigurationValue, ConfigurationRefusal>,
        to target: String,
        isPlain: Bool,
        _ line: Int
    ) throws {
        let key = ConfigurationKey.named(target)
        let isNew = names.updateValue(value, forKey: target) == nil
        // wandb is not used, so that what its names are does not matter: nanoGPT's files put the time of day in them.
        if target.hasPrefix("wandb_"), key == nil || !isPlain || (try? value.get()) == nil {
            passedOver.append((line, target))
            return
        }
        guard let key else {
            if isNew { ownNames.append((target, line)) }
            return
        }
        guard !key.onlyOnCommandLine else {
            throw UserError(.usage, "\(origin(line)): \(target) works only on the command line, as --\(target)")
        }
        switch value {
        case .success(let value):
            settings.append(ConfigurationSetting(key: key, text: value.literal, origin: origin(line)))
        case .failure(let refusal):
            let example = "\(key.name) = \(key.literal(in: TrainingConfiguration()))"
            throw error(ConfigurationRefusal("\(refusal.reason); write the value itself, such as \(example)"), line)
        }
    }

    private var notices: [String] {
        var notices: [String] = []
        // What a statement does with a module is said of that statement.
        let unused = imports.filter { $0.names.isDisjoint(with: used) }.map { (line: $0.line, what: "import") }
        let places = (passedOver + unused).sorted { $0.line < $1.line }.map { "line \($0.line) (\($0.what))" }
        if !places.isEmpty { notices.append("\(path): passed over \(places.joined(separator: ", "))") }
        if !ownNames.isEmpty {
            let list = ownNames.map { "\($0.name) (line \($0.line))" }.joined(separator: ", ")
            notices.append("\(path): no option, and used only inside the file: \(list)")
        }
        return notices
    }

    private func origin(_ line: Int) -> ConfigurationOrigin { .file(path: path, line: line) }

    private func error(_ refusal: ConfigurationRefusal, _ line: Int) -> UserError {
        let lines = text.split(omittingEmptySubsequences: false) { $0 == "\n" || $0 == "\r\n" || $0 == "\r" }
        let statement = lines[line - 1].trimmingSpaces().prefix(60)
        let shown = statement.hasSuffix(":") ? statement.dropLast() : statement
        return UserError(.usage, "\(origin(line)): \(shown): \(refusal.reason)")
    }
}
