import Formats

/// One option of a run: its name in files and on the command line, its help, its traits, and how its value is read,
/// checked and printed.
///
/// `all` is the only list of options. Help, completion, files, printed configurations, the rules of a resume and what
/// ranks must have in common are computed from it.
public struct ConfigurationKey: Sendable {
    /// The sections of the help and of printed configurations.
    public enum Group: String, Sendable, CaseIterable {
        case run = "Data and run"
        case model = "Model"
        case variants = "Variants of the model, for experiments"
        case optimization = "Optimization"
        case evaluation = "Evaluation, logging and checkpoints"
        case machine = "Machine"
        case ranks = "Ranks of a job"
        case compatibility = "Accepted for nanoGPT's configurations"
    }

    /// What a value may look like.
    public enum Kind: Sendable, Equatable {
        case integer, number, boolean, text
        case choice([String])
        case path(Path)
    }

    /// What a path leads to.
    public enum Path: Sendable {
        case file, folder
        /// A file or folder, or a name with a meaning of its own.
        case fileOrName
    }

    /// What a change of the value changes in a run. It decides what a resume with another value does.
    public enum Effect: Sendable {
        /// The model's shape: a resume refuses another value.
        case shape
        /// The course of training, so the parameters: a resume names the change, and no one command repeats the run.
        case course
        /// How far training goes and when it evaluates and saves: a resume names the change.
        case horizon
        /// Only how ranks reach each other where the run happens: a resume is silent, and the command that repeats the
        /// run leaves the option out.
        case connection
        /// Nothing about what is computed: a resume is silent.
        case nothing
    }

    /// Where a value holds.
    public enum Scope: Sendable {
        /// All ranks of a job must have the same value.
        case job
        /// Each rank may have its own value.
        case rank
    }

    /// nanoGPT's name where it has one, with underscores.
    public let name: String
    /// Its section of the help.
    public let group: Group
    /// How its text is read.
    public let kind: Kind
    /// What a change of its value changes.
    public let effect: Effect
    /// Whether ranks may differ in it.
    public let scope: Scope
    /// What the option does, in one sentence without a full stop.
    public let help: String
    /// What the option may be, to follow "must be".
    public let allowed: String
    /// Whether configuration files may not set it, and printed configurations leave it out.
    public let onlyOnCommandLine: Bool

    /// The property that it sets.
    let field: PartialKeyPath<TrainingConfiguration> & Sendable
    private let read: @Sendable (_ text: String, inout TrainingConfiguration) throws(ConfigurationRefusal) -> Void
    private let write: @Sendable (TrainingConfiguration) -> String
    private let copy: @Sendable (_ source: TrainingConfiguration, inout TrainingConfiguration) -> Void

    /// The traits have no defaults, so an option does not compile without them.
    init<Value>(
        _ name: String,
        _ group: Group,
        _ field: WritableKeyPath<TrainingConfiguration, Value> & Sendable,
        _ form: ValueForm<Value>,
        _ effect: Effect,
        _ scope: Scope,
        onlyOnCommandLine: Bool = false,
        help: () -> String
    ) {
        self.name = name
        self.group = group
        self.field = field
        self.effect = effect
        self.scope = scope
        self.onlyOnCommandLine = onlyOnCommandLine
        self.help = help()
        kind = form.kind
        allowed = form.allowed
        read = { text, configuration throws(ConfigurationRefusal) in
            guard let value = form.read(text) else {
                throw ConfigurationRefusal(form.refusal(text) ?? "must be \(form.allowed)")
            }
            configuration[keyPath: field] = value
        }
        write = { form.write($0[keyPath: field]) }
        copy = { source, configuration in configuration[keyPath: field] = source[keyPath: field] }
    }

    /// The key of this name, dashes and underscores being the same.
    public static func named(_ name: String) -> ConfigurationKey? {
        byName[String(name.map { $0 == "-" ? "_" : $0 })]
    }

    /// The key that sets a property, such as `\.learningRate`.
    ///
    /// - Precondition: an option sets the property, as every stored one has.
    public static func of(_ field: PartialKeyPath<TrainingConfiguration>) -> ConfigurationKey {
        all.first { $0.field == field }!
    }

    /// The keys that set some properties, in their order.
    public static func of(_ fields: [PartialKeyPath<TrainingConfiguration>]) -> [ConfigurationKey] {
        fields.map { of($0) }
    }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
}

// MARK: - Values

extension ConfigurationKey {
    /// The value in the form that files hold, such as `0.0006`, `true` or `"data"`.
    public func literal(in configuration: TrainingConfiguration) -> String { write(configuration) }

    /// The value as one would type it on a command line: text without quotes.
    public func argument(in configuration: TrainingConfiguration) -> String {
        let literal = write(configuration)
        return ConfigurationLiteral.quoted(literal) ?? literal
    }

    /// The built-in default, as one would type it.
    public var defaultArgument: String { argument(in: TrainingConfiguration()) }

    func jsonValue(in configuration: TrainingConfiguration) -> JSONValue {
        let argument = argument(in: configuration)
        switch kind {
        case .integer: return Int(argument).map { .integer($0) } ?? .null
        case .number: return Double(argument).map { .number($0) } ?? .null
        case .boolean: return .bool(argument == "true")
        case .text, .choice, .path: return .string(argument)
        }
    }

    /// Reads a value as a file holds it: text stands in quotes, and other values may. Where a text may be empty, Python's
    /// `None` is that; for booleans 0 and 1 do.
    func set(_ literal: String, in configuration: inout TrainingConfiguration) throws(ConfigurationRefusal) {
        let content = ConfigurationLiteral.quoted(literal)
        guard isText else {
            let boolean = kind == .boolean ? ["0": "false", "1": "true"][literal] : nil
            return try read(content ?? boolean ?? literal, &configuration)
        }
        guard let content = content ?? (literal == "None" ? "" : nil) else {
            throw ConfigurationRefusal("must be text in quotes")
        }
        try read(content, &configuration)
    }

    /// Reads a value as it was typed: text may stand in quotes.
    package func set(
        argument: String,
        in configuration: inout TrainingConfiguration
    ) throws(ConfigurationRefusal) {
        try read(isText ? ConfigurationLiteral.quoted(argument) ?? argument : argument, &configuration)
    }

    /// Gives a configuration the value of another one.
    func copy(from source: TrainingConfiguration, to configuration: inout TrainingConfiguration) {
        copy(source, &configuration)
    }

    private var isText: Bool {
        switch kind {
        case .text, .choice, .path: true
        case .integer, .number, .boolean: false
        }
    }
}

/// Why a value cannot be taken, to follow "KEY=VALUE (origin): ".
package struct ConfigurationRefusal: Error {
    package let reason: String
    init(_ reason: String) { self.reason = reason }
}
