import ArgumentParser
import Configuration

/// Options of the registry that a command takes.
protocol RegistrySelection {
    static var options: [RegistryOption] { get }
}

/// Options of the registry, in the order of their selection.
///
/// The parser finds a command's options by reflection. Here they stand in place of stored properties, so a new entry in
/// the registry is all that command line, help and completion need.
struct RegistryOptions<Selection: RegistrySelection>: ParsableArguments, CustomReflectable {
    /// The options that were given, as they were typed.
    private(set) var given: [(name: String, value: String)] = []

    init() {}

    init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: OptionName.self)
        for option in Selection.options {
            let value = try values.decode(Option<String?>.self, forKey: OptionName(stringValue: option.key.name))
            if let text = value.wrappedValue { given.append((option.key.name, text)) }
        }
    }

    var customMirror: Mirror {
        Mirror(self, children: Selection.options.map { (label: $0.key.name, value: $0.declaration) })
    }

    func isGiven(_ field: PartialKeyPath<TrainingConfiguration>) -> Bool {
        given.contains { $0.name == ConfigurationKey.of(field).name }
    }
}

private struct OptionName: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

/// An option of the registry in the parser's form.
struct RegistryOption: Sendable {
    let key: ConfigurationKey
    let declaration: Option<String?>

    /// - Parameters:
    ///   - key: the option.
    ///   - text: the default that a command has in place of the registry's.
    init(_ key: ConfigurationKey, default text: String? = nil) {
        self.key = key
        declaration = Option(
            name: .customLong(key.name),
            help: ArgumentHelp(
                "\(key.help). (default: \(text ?? Self.defaultText(of: key)))",
                valueName: Self.valueName(of: key)
            ),
            completion: Self.completion(of: key)
        )
    }

    init(_ field: PartialKeyPath<TrainingConfiguration>, default text: String? = nil) {
        self.init(.of(field), default: text)
    }

    static func of(_ fields: [PartialKeyPath<TrainingConfiguration>]) -> [RegistryOption] {
        ConfigurationKey.of(fields).map { RegistryOption($0) }
    }

    static func all(in group: ConfigurationKey.Group) -> [RegistryOption] {
        ConfigurationKey.all.filter { $0.group == group }.map { RegistryOption($0) }
    }

    /// The built-in default, and the value of the preset that runs when nothing is said.
    private static func defaultText(of key: ConfigurationKey) -> String {
        let builtIn = key.defaultArgument
        guard !builtIn.isEmpty else { return "none" }
        let usual = key.argument(in: baby)
        return builtIn == usual ? builtIn : "\(builtIn); preset baby: \(usual)"
    }

    private static let baby = Preset.baby.values

    private static func valueName(of key: ConfigurationKey) -> String {
        switch key.kind {
        case .integer: "n"
        case .number: "x"
        case .boolean: OptionTable.booleanValueName
        case .choice(let choices): choices.joined(separator: "|")
        case .path(.file): "file"
        case .path(.folder): "folder"
        case .text, .path(.fileOrName): "text"
        }
    }

    private static func completion(of key: ConfigurationKey) -> CompletionKind? {
        switch key.kind {
        case .boolean: .list(["true", "false"])
        case .choice(let choices): .list(choices)
        case .path(.file), .path(.fileOrName): .file()
        case .path(.folder): .directory
        case .text, .integer, .number: nil
        }
    }
}
