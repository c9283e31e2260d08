import ArgumentParser
import Formats

/// Which options each command has, as its parser declares them.
struct OptionTable {
    enum Kind {
        /// Stands alone.
        case flag
        /// Takes one value, which may be left out: true or false.
        case boolean
        /// Takes one value.
        case value
        /// Takes values up to the next option.
        case values
    }

    /// Kinds by option name (without dashes) by command; a command of a group is named with it, as `tokenizer train`.
    let commands: [String: [String: Kind]]
    /// Names of the commands of each group.
    let groups: [String: [String]]
    let defaultCommand: String
    /// Commands that pass on what follows their own options, each with the long names of its short options.
    let passingOn: [String: [Character: String]]

    /// The value name in help that marks an option as a boolean.
    static let booleanValueName = "true|false"

    /// Read from the parser's own description of itself, so that there is no second list of options.
    init(of root: any ParsableCommand.Type) throws {
        let tool = try JSONValue(parsing: Array(root._dumpHelp().utf8))
        var commands: [String: [String: Kind]] = [:]
        var passingOn: [String: [Character: String]] = [:]
        var groups: [String: [String]] = [:]
        var found: [(name: String, command: JSONValue)] = []
        for command in tool["command"]?["subcommands"]?.arrayValue ?? [] {
            guard let name = command["commandName"]?.stringValue else { continue }
            let members = (command["subcommands"]?.arrayValue ?? []).compactMap { member in
                member["commandName"]?.stringValue.map { (name: $0, command: member) }
            }
            if members.isEmpty { found.append((name, command)) } else { groups[name] = members.map(\.name) }
            found += members.map { ("\(name) \($0.name)", $0.command) }
        }
        for (name, command) in found {
            var options: [String: Kind] = [:]
            for argument in command["arguments"]?.arrayValue ?? [] {
                for option in argument["names"]?.arrayValue ?? [] where option["kind"]?.stringValue == "long" {
                    options[option["name"]?.stringValue ?? ""] = Self.kind(of: argument)
                }
            }
            commands[name] = options
            let arguments = command["arguments"]?.arrayValue ?? []
            if arguments.contains(where: { $0["parsingStrategy"]?.stringValue == "postTerminator" }) {
                passingOn[name] = Self.shortNames(arguments)
            }
        }
        self.commands = commands
        self.passingOn = passingOn
        self.groups = groups
        defaultCommand = root.configuration.defaultSubcommand?._commandName ?? ""
    }

    private static func shortNames(_ arguments: [JSONValue]) -> [Character: String] {
        var result: [Character: String] = [:]
        for names in arguments.compactMap({ $0["names"]?.arrayValue }) {
            func name(_ kind: String) -> String? {
                names.first { $0["kind"]?.stringValue == kind }?["name"]?.stringValue
            }
            if let short = name("short")?.first, let long = name("long") { result[short] = long }
        }
        return result
    }

    private static func kind(of argument: JSONValue) -> Kind {
        if argument["kind"]?.stringValue == "flag" { return .flag }
        if argument["isRepeating"]?.boolValue == true { return .values }
        return argument["valueName"]?.stringValue == booleanValueName ? .boolean : .value
    }
}
