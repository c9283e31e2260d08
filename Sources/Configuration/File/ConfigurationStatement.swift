/// A statement of a configuration file.
struct ConfigurationStatement {
    /// What a statement means for a run.
    enum Meaning {
        case assignment(names: [String], value: ArraySlice<ConfigurationToken>)
        /// An import of these names, none of which is an option.
        case imported(Set<String>)
        /// Sets no option, and what it does instead does not matter here, such as `print` or `os.environ`.
        case passedOver(String)
        /// A docstring.
        case nothing
    }

    let tokens: [ConfigurationToken]

    /// - Parameter imported: names of modules, whose attributes are no options.
    /// - Throws: `ConfigurationRefusal` for a statement that could change an option and is no plain assignment.
    func meaning(imported: Set<String>) throws(ConfigurationRefusal) -> Meaning {
        if tokens.allSatisfy(\.isText) { return .nothing }
        if tokens.contains(.sign(":=")) {
            throw ConfigurationRefusal(":= is not evaluated; write an assignment of its own")
        }
        if let meaning = try meaningOfKeyword() { return meaning }
        let parts = parts
        if parts.count <= 2, let harmless = harmless(imported: imported) { return .passedOver(harmless) }
        guard parts.count > 1 else { throw notAssigned() }
        var names: [String] = []
        for part in parts.dropLast() { names.append(try name(in: part, isOnly: parts.count == 2)) }
        return .assignment(names: names, value: parts.last!)
    }

    /// What stands between the `=` outside brackets.
    private var parts: [ArraySlice<ConfigurationToken>] {
        var depth = 0
        return tokens.split(omittingEmptySubsequences: false) { token in
            depth += token.nesting
            return depth == 0 && token == .sign("=")
        }
    }

    // MARK: - What is passed over

    /// Nil where the statement does not begin with a keyword.
    private func meaningOfKeyword() throws(ConfigurationRefusal) -> Meaning? {
        guard case .name(let word)? = tokens.first, tokens.count > 1, tokens[1] != .sign("=") else { return nil }
        switch word {
        case "assert": return .passedOver(word)
        case "import", "from":
            let isPart = word == "from"
            let names = tokens.drop { isPart && $0 != .name("import") }.dropFirst()
            guard !names.contains(.sign("*")), !isPart || !names.contains(where: \.isOption) else {
                throw ConfigurationRefusal("options are not imported; give that file as an argument before this one")
            }
            return .imported(Set(names.compactMap(\.name)))
        case "if", "elif", "else", "match":
            throw ConfigurationRefusal("conditions are not evaluated; write the assignments that should hold")
        case "for", "while", "def", "class", "with", "try", "except", "finally", "async", "del", "global", "raise",
            "return":
            throw ConfigurationRefusal("\(word) is not run; write plain assignments")
        default: return nil
        }
    }

    /// What a call of `print`, or a call or an assignment to a part of a module, is about; nil for anything else.
    private func harmless(imported: Set<String>) -> String? {
        let reaching: Set = ["exec", "eval", "globals", "locals", "vars", "setattr", "__dict__", "modules"]
        guard case .name(let first)? = tokens.first,
            !tokens.contains(where: { $0.name.map(reaching.contains) ?? false })
        else { return nil }
        if first == "print", tokens.dropFirst().first == .sign("(") { return first }
        guard imported.contains(first), tokens.dropFirst().first == .sign(".") else { return nil }
        return tokens.prefix { $0.name != nil || $0 == .sign(".") }.map { $0.name ?? "." }.joined()
    }

    // MARK: - Names

    /// The name that is assigned to, without an annotation. Dashes count as underscores.
    private func name(in target: ArraySlice<ConfigurationToken>, isOnly: Bool) throws(ConfigurationRefusal) -> String {
        let colon = isOnly ? target.firstIndex(of: .sign(":")) : nil
        let parts = target[..<(colon ?? target.endIndex)].split(omittingEmptySubsequences: false) { $0 == .sign("-") }
        let words = parts.compactMap { $0.count == 1 ? $0.first?.name : nil }
        guard words.count == parts.count else {
            throw ConfigurationRefusal(
                target.contains(.sign(","))
                    ? "write one assignment for each name" : "only an option's name can stand before ="
            )
        }
        return words.joined(separator: "_")
    }

    private func notAssigned() -> ConfigurationRefusal {
        guard case .name(let name)? = tokens.first else {
            return ConfigurationRefusal(
                tokens.first == .sign("[")
                    ? "sections and lists are not read; write every option as key = value without them"
                    : "nothing is assigned; write key = value"
            )
        }
        for token in tokens {
            guard case .sign(let sign) = token else { continue }
            if sign == ":" { return ConfigurationRefusal("a colon assigns nothing; write \(name) = value") }
            if sign.count > 1, sign.hasSuffix("="), !["==", "!=", "<=", ">="].contains(sign) {
                return ConfigurationRefusal("\(sign) changes an earlier value; write the result, as \(name) = value")
            }
            if sign == "(" { return ConfigurationRefusal("\(name) is not run; write the values that it would set") }
        }
        return ConfigurationRefusal("nothing is assigned; write key = value")
    }
}

extension ConfigurationToken {
    var name: String? {
        if case .name(let name) = self { name } else { nil }
    }

    var isOption: Bool { name.flatMap(ConfigurationKey.named) != nil }

    var isText: Bool {
        switch self {
        case .value(.text), .formatted: true
        default: false
        }
    }
}
