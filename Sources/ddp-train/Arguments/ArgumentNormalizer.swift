import Platform

/// Brings a command line into the form that the parser takes.
///
/// Dashes in the names of options become underscores, `--key value` becomes `--key=value` (so that a value may begin
/// with a dash), booleans may be `--bias`, `--bias=True` or `--bias false`, and a command line that does not begin with
/// a command gets the default one. Unknown options end here, with the nearest known one. For a command that passes
/// arguments on, all from the first that is not its own is left as it is, behind "--".
struct ArgumentNormalizer {
    private let table: OptionTable

    init(_ table: OptionTable) {
        self.table = table
    }

    /// First arguments that the parser handles by itself.
    private static let parserFirstArguments: Set<String> = [
        "help", "--help", "-h", "--help-hidden", "--version", "--generate-completion-script",
        "--experimental-dump-help",
    ]

    func normalize(_ arguments: [String]) throws -> [String] {
        var rest = arguments[...]
        let command = try popCommand(&rest)
        let normalized = try command.map { try normalize(rest, of: $0, isImplied: rest.count == arguments.count) }
        // Of all options, only the texts to read take names up to the next one.
        let inputs = command.flatMap { table.commands[$0]?.first { $0.value == .values }?.key }
        try ArgumentBytes.check(normalized ?? arguments, inputs: inputs.map { "--\($0)" })
        return normalized ?? arguments
    }

    private func normalize(_ arguments: ArraySlice<String>, of command: String, isImplied: Bool) throws -> [String] {
        var rest = arguments
        let options = table.commands[command] ?? [:]
        var result = command.split(separator: " ").map { String($0) }
        let shortNames = table.passingOn[command]
        while var argument = rest.popFirst() {
            if argument == "--" { return result + [argument] + rest }
            if let shortNames {
                argument = Self.withLongName(argument, shortNames)
                guard argument.hasPrefix("--"), options[knownName(Self.name(of: argument), options)] != nil else {
                    return result + ["--", argument] + rest
                }
            }
            if argument.hasPrefix("--") {
                result += try normalize(argument, of: command, options, &rest)
            } else {
                if isImplied { try checkForLateCommand(argument) }
                result.append(argument)
            }
        }
        return result
    }

    /// The command that the arguments begin with, or else the default one; nil for what the parser answers by itself.
    private func popCommand(_ rest: inout ArraySlice<String>) throws -> String? {
        guard let first = rest.first else { return table.defaultCommand }
        if first == "help", let asked = rest.dropFirst().first, table.commands[asked] == nil, table.groups[asked] == nil
        {
            let names = table.commands.keys.filter { !$0.contains(" ") } + table.groups.keys
            let hint = NearestName.hint(for: asked, among: names)
            throw UserError(.usage, "there is no command \(asked)\(hint.isEmpty ? "; see ddp-train --help" : hint)")
        }
        if Self.parserFirstArguments.contains(String(first.prefix { $0 != "=" })) { return nil }
        if let members = table.groups[first] {
            rest.removeFirst()
            // The parser shows the group's help.
            guard let member = rest.popFirst(), !Self.parserFirstArguments.contains(member) else { return nil }
            guard members.contains(member) else {
                let hint = NearestName.hint(for: member, among: members)
                throw UserError(
                    .usage,
                    "\(first) has no command \(member)"
                        + (hint.isEmpty ? ": it has \(members.joined(separator: ", "))" : hint)
                )
            }
            return "\(first) \(member)"
        }
        guard table.commands[first] != nil else {
            try checkForMisspelledCommand(first)
            return table.defaultCommand
        }
        return rest.popFirst()
    }

    /// One option, with its value from what follows it where it needs one.
    private func normalize(
        _ argument: String,
        of command: String,
        _ options: [String: OptionTable.Kind],
        _ rest: inout ArraySlice<String>
    ) throws -> [String] {
        let typed = Self.name(of: argument)
        let name = knownName(typed, options)
        let value = argument.firstIndex(of: "=").map { String(argument[argument.index(after: $0)...]) }
        switch options[name] {
        case nil: throw unknownOption(typed, command)
        case .flag:
            let literal = value ?? popBoolean(&rest) ?? "true"
            guard let isSet = Self.booleans[literal] else {
                throw UserError(.usage, "--\(name)=\(literal): must be true or false")
            }
            return isSet ? ["--\(name)"] : []
        case .boolean: return Self.option(name, value ?? popBoolean(&rest) ?? "true")
        case .value: return Self.option(name, value ?? popValue(&rest, options))
        case .values: return Self.option(name, value)
        }
    }

    /// `--ranks=4` for `-n4` and `-n=4`, `--ranks` for `-n`.
    private static func withLongName(_ argument: String, _ names: [Character: String]) -> String {
        guard argument.hasPrefix("-"), let short = argument.dropFirst().first, let name = names[short] else {
            return argument
        }
        let value = argument.dropFirst(2)
        if value.isEmpty { return "--\(name)" }
        return "--\(name)=\(value.first == "=" ? value.dropFirst() : value)"
    }

    private static func name(of option: String) -> String { String(option.dropFirst(2).prefix { $0 != "=" }) }

    /// The parser takes an empty value only as an argument of its own.
    private static func option(_ name: String, _ value: String?) -> [String] {
        switch value {
        case nil: ["--\(name)"]
        case "": ["--\(name)", ""]
        case let value?: ["--\(name)=\(value)"]
        }
    }

    private static let booleans = ["true": true, "True": true, "false": false, "False": false]

    private func popBoolean(_ rest: inout ArraySlice<String>) -> String? {
        guard let next = rest.first, Self.booleans[next] != nil else { return nil }
        return rest.popFirst()
    }

    /// The next argument, unless it is an option: then the value was forgotten.
    private func popValue(_ rest: inout ArraySlice<String>, _ options: [String: OptionTable.Kind]) -> String? {
        guard let next = rest.first else { return nil }
        if next.hasPrefix("--") {
            if options[knownName(Self.name(of: next), options)] != nil { return nil }
        }
        return rest.popFirst()
    }

    private func knownName(_ typed: String, _ options: [String: OptionTable.Kind]) -> String {
        options[typed] != nil ? typed : String(typed.map { $0 == "-" ? "_" : $0 })
    }

    private func unknownOption(_ typed: String, _ command: String) -> UserError {
        let own = table.commands[command] ?? [:]
        let owners = table.commands.filter { $0.value[knownName(typed, $0.value)] != nil }.keys.sorted()
        if !owners.isEmpty {
            return UserError(
                .usage,
                "unknown option --\(typed) for \(command); \(owners.joined(separator: ", ")) \(owners.count == 1 ? "has" : "have") it"
            )
        }
        if Self.launcherOptions.contains(knownName(typed, [:])) {
            return UserError(
                .usage,
                "unknown option --\(typed), which is torchrun's: start ranks with ddp-train launch -n 4, or with mpirun "
                    + "-np 4 ddp-train"
            )
        }
        let hint = NearestName.hint(for: typed, among: own.keys, prefix: "--")
        return UserError(
            .usage,
            "unknown option --\(typed)\(hint)\(hint.isEmpty ? "; see ddp-train \(command) --help" : "")"
        )
    }

    /// Those of torchrun, which stand before the program there.
    private static let launcherOptions: Set<String> = [
        "nproc_per_node", "nnodes", "node_rank", "master_addr", "master_port", "rdzv_backend", "rdzv_endpoint",
        "standalone",
    ]

    /// A command behind an option would be taken for a configuration file.
    private func checkForLateCommand(_ word: String) throws {
        guard table.commands[word] != nil || table.groups[word] != nil, FileSystem.kind(of: word) == nil else { return }
        throw UserError(.usage, "the command \(word) comes before its options, as in ddp-train \(word) --help")
    }

    /// A bare word is a configuration file, unless no file has that name and a command nearly has.
    private func checkForMisspelledCommand(_ word: String) throws {
        guard !word.hasPrefix("-"), !word.contains(where: { ".=/".contains($0) }), FileSystem.kind(of: word) == nil,
            let command = NearestName.suggestion(for: word, among: Array(table.commands.keys) + table.groups.keys)
        else { return }
        throw UserError(
            .usage,
            "unknown command \(word), and no configuration file has that name; did you mean \(command)?"
        )
    }
}
