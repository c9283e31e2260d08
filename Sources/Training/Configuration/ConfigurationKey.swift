import Formats
import Platform
import Transformer

/// One option of a run: its name in files and on the command line, its help, and how it is read, checked and printed.
///
/// `all` is the only list of options: help, files, command line, printed configurations and checks come from it.
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
    }

    /// nanoGPT's name where it has one, with underscores.
    public let name: String
    /// Its section of the help.
    public let group: Group
    /// How its text is read.
    public let kind: Kind
    /// What the option does, in one sentence without a full stop.
    public let help: String
    /// What the option may be, to follow "must be".
    public let allowed: String
    /// Whether configuration files may not set it, and printed configurations leave it out.
    public let onlyOnCommandLine: Bool

    private let read: @Sendable (_ text: String, inout TrainingConfiguration) throws(ConfigurationRefusal) -> Void
    private let write: @Sendable (TrainingConfiguration) -> String

    /// The value in the form that files hold, such as `0.0006`, `true` or `"data"`.
    public func literal(in configuration: TrainingConfiguration) -> String {
        write(configuration)
    }

    /// The value as one would type it on a command line: text without quotes.
    public func argument(in configuration: TrainingConfiguration) -> String {
        let literal = write(configuration)
        return ConfigurationLiteral.quoted(literal) ?? literal
    }

    func jsonValue(in configuration: TrainingConfiguration) -> JSONValue {
        let argument = argument(in: configuration)
        switch kind {
        case .integer: return Int(argument).map { .integer($0) } ?? .null
        case .number: return Double(argument).map { .number($0) } ?? .null
        case .boolean: return .bool(argument == "true")
        case .text, .choice: return .string(argument)
        }
    }

    /// The built-in default, as one would type it.
    public var defaultArgument: String { argument(in: TrainingConfiguration()) }

    /// The key of this name, dashes and underscores being the same.
    public static func named(_ name: String) -> ConfigurationKey? {
        byName[String(name.map { $0 == "-" ? "_" : $0 })]
    }

    private static let byName = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })

    /// Reads a value as a file holds it: text stands in quotes.
    func set(_ literal: String, in configuration: inout TrainingConfiguration) throws(ConfigurationRefusal) {
        guard isText else { return try read(literal, &configuration) }
        guard let content = ConfigurationLiteral.quoted(literal) else {
            throw ConfigurationRefusal("must be text in quotes")
        }
        try read(content, &configuration)
    }

    /// Reads a value as it was typed: text may stand in quotes.
    func set(argument: String, in configuration: inout TrainingConfiguration) throws(ConfigurationRefusal) {
        try read(isText ? ConfigurationLiteral.quoted(argument) ?? argument : argument, &configuration)
    }

    private var isText: Bool {
        switch kind {
        case .text, .choice: true
        case .integer, .number, .boolean: false
        }
    }
}

/// Why a value cannot be taken, to follow "KEY=VALUE (origin): ".
struct ConfigurationRefusal: Error {
    let reason: String
    init(_ reason: String) { self.reason = reason }
}

// MARK: - Making keys, for the registry

extension ConfigurationKey {
    typealias Path<Value> = WritableKeyPath<TrainingConfiguration, Value> & Sendable

    static func integer(
        _ name: String,
        _ group: Group,
        _ path: Path<Int>,
        atLeast minimum: Int,
        atMost maximum: Int = Int(Int32.max),
        _ help: String
    ) -> Self {
        let isOpen = maximum >= Int32.max
        let allowed = isOpen ? "a whole number of at least \(minimum)" : "a whole number from \(minimum) to \(maximum)"
        return Self(
            name: name,
            group: group,
            kind: .integer,
            help: help,
            allowed: allowed,
            onlyOnCommandLine: false,
            read: { text, configuration throws(ConfigurationRefusal) in
                guard let value = ConfigurationLiteral.integer(text), value >= minimum else {
                    throw ConfigurationRefusal("must be \(allowed)")
                }
                guard value <= maximum else {
                    throw ConfigurationRefusal(isOpen ? "must be at most \(maximum)" : "must be \(allowed)")
                }
                configuration[keyPath: path] = value
            },
            write: { String($0[keyPath: path]) }
        )
    }

    /// - Parameter allowed: what `isAllowed` accepts, to follow "must be".
    static func number(
        _ name: String,
        _ group: Group,
        _ path: Path<Double>,
        _ allowed: String,
        _ isAllowed: @escaping @Sendable (Double) -> Bool,
        _ help: String
    ) -> Self {
        Self(
            name: name,
            group: group,
            kind: .number,
            help: help,
            allowed: allowed,
            onlyOnCommandLine: false,
            read: { text, configuration throws(ConfigurationRefusal) in
                guard let value = ConfigurationLiteral.number(text) else {
                    throw ConfigurationRefusal("must be a number, \(allowed)")
                }
                guard isAllowed(value) else { throw ConfigurationRefusal("must be \(allowed)") }
                configuration[keyPath: path] = value
            },
            write: { String($0[keyPath: path]) }
        )
    }

    static func boolean(
        _ name: String,
        _ group: Group,
        _ path: Path<Bool>,
        onlyOnCommandLine: Bool = false,
        _ help: String
    ) -> Self {
        Self(
            name: name,
            group: group,
            kind: .boolean,
            help: help,
            allowed: "true or false",
            onlyOnCommandLine: onlyOnCommandLine,
            read: { text, configuration throws(ConfigurationRefusal) in
                guard let value = ConfigurationLiteral.boolean(text) else {
                    throw ConfigurationRefusal("must be true or false")
                }
                configuration[keyPath: path] = value
            },
            write: { String($0[keyPath: path]) }
        )
    }

    static func text(
        _ name: String,
        _ group: Group,
        _ path: Path<String>,
        mayBeEmpty: Bool = false,
        onlyOnCommandLine: Bool = false,
        _ help: String
    ) -> Self {
        let allowed = mayBeEmpty ? "text" : "text that is not empty"
        return Self(
            name: name,
            group: group,
            kind: .text,
            help: help,
            allowed: allowed,
            onlyOnCommandLine: onlyOnCommandLine,
            read: { text, configuration throws(ConfigurationRefusal) in
                guard mayBeEmpty || !text.isEmpty else { throw ConfigurationRefusal("must be \(allowed)") }
                configuration[keyPath: path] = text
            },
            write: { ConfigurationLiteral.quote($0[keyPath: path]) }
        )
    }

    static func heads(_ name: String, _ group: Group, _ path: Path<[HeadName]>, _ help: String) -> Self {
        let allowed = "heads such as 0.1,2.3 (layer.head, counted from 0)"
        return Self(
            name: name,
            group: group,
            kind: .text,
            help: help,
            allowed: allowed,
            onlyOnCommandLine: false,
            read: { text, configuration throws(ConfigurationRefusal) in
                guard let heads = HeadName.list(text) else { throw ConfigurationRefusal("must be \(allowed)") }
                configuration[keyPath: path] = heads
            },
            write: { ConfigurationLiteral.quote($0[keyPath: path].map(\.description).joined(separator: ",")) }
        )
    }

    /// - Parameter remark: what to add about a value that is not among the choices, if anything is worth adding.
    static func choice<Value: RawRepresentable<String> & CaseIterable & Sendable>(
        _ name: String,
        _ group: Group,
        _ path: Path<Value>,
        remark: @escaping @Sendable (String) -> String? = { _ in nil },
        _ help: String
    ) -> Self {
        let choices = Value.allCases.map(\.rawValue)
        let list = choices.count == 1 ? choices[0] : choices.dropLast().joined(separator: ", ") + " or " + choices.last!
        return Self(
            name: name,
            group: group,
            kind: .choice(choices),
            help: help,
            allowed: list,
            onlyOnCommandLine: false,
            read: { text, configuration throws(ConfigurationRefusal) in
                guard let value = Value(rawValue: text) else {
                    if let remark = remark(text) { throw ConfigurationRefusal("\(remark); must be \(list)") }
                    throw ConfigurationRefusal("must be \(list)\(NearestName.hint(for: text, among: choices))")
                }
                configuration[keyPath: path] = value
            },
            write: { ConfigurationLiteral.quote($0[keyPath: path].rawValue) }
        )
    }
}
