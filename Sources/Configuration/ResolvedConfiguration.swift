import Formats
import Platform

/// Where a value of a configuration comes from.
public enum ConfigurationOrigin: Equatable, Sendable, CustomStringConvertible {
    case builtIn
    case preset(Preset)
    case file(path: String, line: Int)
    case commandLine
    /// Settled by the program, and why.
    case chosen(String)

    /// For messages and the comments of config.toml, such as `preset char` or `config.py, line 3`.
    public var description: String {
        switch self {
        case .builtIn: "built-in default"
        case .preset(let preset): "preset \(preset.rawValue)"
        case .file(let path, let line): "\(path), line \(line)"
        case .commandLine: "command line"
        case .chosen(let reason): reason
        }
    }
}

/// A configuration together with the origin of each of its values.
public struct ResolvedConfiguration: Sendable {
    /// Every option's value.
    public private(set) var values = TrainingConfiguration()
    private var origins: [String: ConfigurationOrigin] = [:]
    /// About statements of configuration files that set no option.
    var fileNotices: [String] = []

    /// A configuration made in code; nanoGPT's built-in defaults, unless told otherwise.
    public init(_ values: TrainingConfiguration = TrainingConfiguration()) {
        self.values = values
    }

    /// Of a property's value.
    public func origin(of field: PartialKeyPath<TrainingConfiguration>) -> ConfigurationOrigin {
        origin(of: .of(field))
    }

    /// Of an option's value.
    public func origin(of key: ConfigurationKey) -> ConfigurationOrigin {
        origins[key.name] ?? .builtIn
    }

    /// Whether a user asked for this value, in a file or on the command line.
    public func isExplicit(_ field: PartialKeyPath<TrainingConfiguration>) -> Bool {
        isExplicit(.of(field))
    }

    /// The value that a user asked for, in a file or on the command line; nil for a default.
    public func explicit<Value>(_ field: KeyPath<TrainingConfiguration, Value>) -> Value? {
        isExplicit(field) ? values[keyPath: field] : nil
    }

    /// Whether a user asked for an option's value, in a file or on the command line.
    public func isExplicit(_ key: ConfigurationKey) -> Bool {
        switch origin(of: key) {
        case .file, .commandLine: true
        case .builtIn, .preset, .chosen: false
        }
    }

    /// Settles a value that was left to the program, such as the dataset to fall back to.
    public mutating func choose<Value>(
        _ reason: String,
        _ field: WritableKeyPath<TrainingConfiguration, Value>,
        _ value: Value
    ) {
        values[keyPath: field] = value
        origins[ConfigurationKey.of(field).name] = .chosen(reason)
    }

    /// Takes the values of some options from another configuration.
    public mutating func choose(_ reason: String, _ keys: [ConfigurationKey], from source: TrainingConfiguration) {
        for key in keys {
            key.copy(from: source, to: &values)
            origins[key.name] = .chosen(reason)
        }
    }

    /// Settles a value given as one would type it.
    ///
    /// - Throws: `UserError(.usage)` when there is no such option, or it cannot have that value.
    public mutating func choose(_ reason: String, setting name: String, to argument: String) throws {
        guard let key = ConfigurationKey.named(name) else { throw UserError(.usage, "unknown option \(name)") }
        do {
            try key.set(argument: argument, in: &values)
        } catch {
            throw UserError(.usage, "\(name)=\(argument) (\(reason)): \(error.reason)")
        }
        origins[name] = .chosen(reason)
    }

    mutating func apply(_ preset: Preset) {
        for name in preset.apply(to: &values) { origins[name] = .preset(preset) }
    }

    mutating func apply(_ setting: ConfigurationSetting) throws {
        do {
            switch setting.origin {
            case .commandLine: try setting.key.set(argument: setting.text, in: &values)
            default: try setting.key.set(setting.text, in: &values)
            }
        } catch {
            throw UserError(.usage, "\(setting.key.name)=\(setting.text) (\(setting.origin)): \(error.reason)")
        }
        origins[setting.key.name] = setting.origin
    }

    /// `name=value (origin)`, for messages.
    func describe(_ key: ConfigurationKey) -> String {
        "\(key.name)=\(key.argument(in: values)) (\(origin(of: key)))"
    }

    /// The form of `config.toml`: every key with its value, and its origin as a comment. Reads back to the same values.
    public var toml: String {
        var text = "# ddp-train: the resolved configuration, each value with its origin\n"
        for group in ConfigurationKey.Group.allCases {
            let lines = ConfigurationKey.all.filter { $0.group == group && !$0.onlyOnCommandLine }
                .map { key in (assignment: "\(key.name) = \(key.literal(in: values))", origin: origin(of: key)) }
            let width = lines.map(\.assignment.count).filter { $0 <= 50 }.max() ?? 0
            text += "\n# \(group.rawValue)\n"
            for line in lines {
                let padding = String(repeating: " ", count: max(0, width - line.assignment.count))
                // A comment is one line, whatever stands in the path of a file.
                let origin = line.origin.description.map { $0.isNewline ? " " : $0 }
                text += "\(line.assignment)\(padding)  # \(String(origin))\n"
            }
        }
        return text
    }

    /// Every key with its value and origin, for programs.
    public var json: JSONValue {
        .object(
            ConfigurationKey.all.map { key in
                let value = key.jsonValue(in: values)
                let origin = JSONValue.string(origin(of: key).description)
                return .init(key.name, .object([.init("value", value), .init("origin", origin)]))
            }
        )
    }

    /// The shortest options that give the same values: the preset, the dataset, and what differs from the preset.
    public var arguments: [String] { arguments { _ in true } }

    /// The same, of some options.
    package func arguments(where isIncluded: (ConfigurationKey) -> Bool) -> [String] {
        let base = values.preset.values
        return ConfigurationKey.all.compactMap { key in
            guard isIncluded(key), !key.onlyOnCommandLine, key.group != .compatibility else { return nil }
            let value = key.argument(in: values)
            let isNamed = key.field == \TrainingConfiguration.preset || key.field == \TrainingConfiguration.dataset
            return isNamed || value != key.argument(in: base) ? "--\(key.name)=\(value)" : nil
        }
    }

    /// What a user should know about values that were accepted and do nothing, or not what one would expect.
    public var notices: [String] {
        var notices = fileNotices
        if values.compile { notices.append("compile=true is ignored: there is nothing to compile at start") }
        if values.wandbLog {
            notices.append(
                """
                wandb_log=true is ignored: see \(values.outDir)/report.html, \(values.outDir)/metrics.jsonl, or \
                tensorboard --logdir \(values.outDir)
                """
            )
        }
        if let schedule = scheduleNotice { notices.append(schedule) }
        return notices
    }

    /// What the learning rate does where warm-up or decay do not fit the length of the run. A decay that the run cuts short by less
    /// than a tenth has come down to 2 % of its way by then.
    private var scheduleNotice: String? {
        guard values.decayLR, !values.evalOnly, values.maxIters > 0 else { return nil }
        let run = describe(.of(\.maxIters))
        let warmup = describe(.of(\.warmupIters))
        let decay = describe(.of(\.lrDecayIters))
        let floor = "min_lr=\(values.minLR)"
        if values.warmupIters >= values.maxIters {
            return "\(warmup) is not below \(run): the learning rate rises until the end and does not reach "
                + "learning_rate=\(values.learningRate)"
        }
        if values.warmupIters >= values.lrDecayIters {
            return "\(warmup) is not below \(decay): after the warm-up the learning rate drops to \(floor) at once"
        }
        guard values.minLR < values.learningRate else { return nil }
        if values.maxIters < values.lrDecayIters - values.lrDecayIters / 10 {
            return "\(run) is below \(decay): the run ends before the learning rate has come down to \(floor)"
        }
        if values.maxIters > values.lrDecayIters {
            return
                "\(run) is above \(decay): from iteration \(values.lrDecayIters) on the learning rate stays at \(floor)"
        }
        return nil
    }
}
