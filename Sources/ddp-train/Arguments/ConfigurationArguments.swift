import ArgumentParser
import Training

/// The value of a configuration key as it was typed.
struct ConfigurationOption {
    let name: String
    let value: String

    /// Marks in help, and for `OptionTable`, that a value is a boolean.
    static let booleanValueName = "true|false"
}

extension Option where Value == ConfigurationOption? {
    /// An option for a key of the registry, which gives it its help and default.
    init(_ key: String) {
        self.init(key, help: ConfigurationHelp.help[key]!)
    }

    /// The same where the default is another.
    init(_ key: String, default text: String) {
        self.init(key, help: ConfigurationHelp.help(of: ConfigurationKey.named(key)!, default: "(default: \(text))"))
    }

    private init(_ key: String, help: ArgumentHelp) {
        self.init(
            name: .customLong(key),
            help: help,
            completion: ConfigurationHelp.completion[key],
            transform: { ConfigurationOption(name: key, value: $0) }
        )
    }
}

/// Help of every key. Made once: the parser makes its commands, and with them their options, again and again.
private enum ConfigurationHelp {
    static let help = Dictionary(
        uniqueKeysWithValues: ConfigurationKey.all.map { key in (key.name, help(of: key, default: defaults(of: key))) }
    )

    static func help(of key: ConfigurationKey, default text: String) -> ArgumentHelp {
        ArgumentHelp("\(key.help). \(text)", valueName: valueName(of: key))
    }

    static let completion = Dictionary(
        uniqueKeysWithValues: ConfigurationKey.all.compactMap { key in completion(of: key).map { (key.name, $0) } }
    )

    private static let baby = Preset.baby.values

    private static func valueName(of key: ConfigurationKey) -> String {
        switch key.kind {
        case .integer: "n"
        case .number: "x"
        case .boolean: ConfigurationOption.booleanValueName
        case .text: key.name.hasSuffix("_dir") ? "folder" : isFile(key) ? "file" : "text"
        case .choice(let choices): choices.joined(separator: "|")
        }
    }

    /// The built-in default, and the value of the preset that runs when nothing is said.
    private static func defaults(of key: ConfigurationKey) -> String {
        let builtIn = key.defaultArgument
        guard !builtIn.isEmpty else { return "(default: none)" }
        let usual = key.argument(in: baby)
        return builtIn == usual ? "(default: \(builtIn))" : "(default: \(builtIn); preset baby: \(usual))"
    }

    private static func isFile(_ key: ConfigurationKey) -> Bool { ["profile", "hostfile"].contains(key.name) }

    private static func completion(of key: ConfigurationKey) -> CompletionKind? {
        switch key.kind {
        case .boolean: .list(["true", "false"])
        case .choice(let choices): .list(choices)
        case .text: key.name.hasSuffix("_dir") ? .directory : isFile(key) || key.name == "init_from" ? .file() : nil
        case .integer, .number: nil
        }
    }
}

/// A command that takes configuration files and every option of a run, in the sections of the registry.
///
/// Each command has the groups itself: the parser's checks of debug builds take four times as long for groups in a group.
protocol ConfiguredCommand: ParsableCommand {
    var files: ConfigurationFiles { get }
    var general: RunOptions { get }
    var model: ModelOptions { get }
    var variants: VariantOptions { get }
    var optimization: OptimizationOptions { get }
    var evaluation: EvaluationOptions { get }
    var machine: MachineOptions { get }
    var connection: ConnectionOptions { get }
    var reduction: ReductionOptions { get }
    var compatibility: CompatibilityOptions { get }
}

extension ConfiguredCommand {
    /// What was given, in the order of the registry.
    var sources: ConfigurationSources {
        let groups: [any ParsableArguments] = [
            general, model, variants, optimization, evaluation, machine, connection, reduction, compatibility,
        ]
        return ConfigurationSources(files: files.paths, options: groups.flatMap(\.givenOptions))
    }
}

extension ParsableArguments {
    /// The configuration keys among this group's options that were given, in their order.
    var givenOptions: [(name: String, value: String)] {
        // The stored properties are the options, and each knows its key.
        Mirror(reflecting: self).children.compactMap { ($0.value as? Option<ConfigurationOption?>)?.wrappedValue }
            .map { ($0.name, $0.value) }
    }
}

struct ConfigurationFiles: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "Files of key = value lines. Later files win over earlier ones, and options over files.",
            valueName: "config"
        ),
        completion: .file()
    )
    var paths: [String] = []
}

struct RunOptions: ParsableArguments {
    @Option("preset") var preset: ConfigurationOption?
    @Option("dataset") var dataset: ConfigurationOption?
    @Option("data_dir") var dataDir: ConfigurationOption?
    @Option("out_dir") var outDir: ConfigurationOption?
    @Option("init_from") var initFrom: ConfigurationOption?
    @Option("overwrite") var overwrite: ConfigurationOption?
    @Option("seed") var seed: ConfigurationOption?
    @Option("sampling") var sampling: ConfigurationOption?
    @Option("document_mask") var documentMask: ConfigurationOption?
}

struct ModelOptions: ParsableArguments {
    @Option("n_layer") var layerCount: ConfigurationOption?
    @Option("n_head") var headCount: ConfigurationOption?
    @Option("n_embd") var embeddingSize: ConfigurationOption?
    @Option("block_size") var blockSize: ConfigurationOption?
    @Option("dropout") var dropout: ConfigurationOption?
    @Option("bias") var bias: ConfigurationOption?
    @Option("activation") var activation: ConfigurationOption?
}

struct VariantOptions: ParsableArguments {
    @Option("causal_mask") var causalMask: ConfigurationOption?
    @Option("attention_window") var attentionWindow: ConfigurationOption?
    @Option("attention_sinks") var attentionSinks: ConfigurationOption?
    @Option("attention_temperature") var attentionTemperature: ConfigurationOption?
    @Option("attention") var attention: ConfigurationOption?
    @Option("position_embedding") var positions: ConfigurationOption?
    @Option("residual") var residual: ConfigurationOption?
    @Option("norm") var norm: ConfigurationOption?
    @Option("norm_position") var normPosition: ConfigurationOption?
    @Option("tied_head") var tiedHead: ConfigurationOption?
    @Option("ablate_heads") var ablatedHeads: ConfigurationOption?
}

struct OptimizationOptions: ParsableArguments {
    @Option("batch_size") var batchSize: ConfigurationOption?
    @Option("gradient_accumulation_steps") var gradientAccumulationSteps: ConfigurationOption?
    @Option("max_iters") var maxIters: ConfigurationOption?
    @Option("learning_rate") var learningRate: ConfigurationOption?
    @Option("decay_lr") var decayLR: ConfigurationOption?
    @Option("warmup_iters") var warmupIters: ConfigurationOption?
    @Option("lr_decay_iters") var lrDecayIters: ConfigurationOption?
    @Option("min_lr") var minLR: ConfigurationOption?
    @Option("weight_decay") var weightDecay: ConfigurationOption?
    @Option("beta1") var beta1: ConfigurationOption?
    @Option("beta2") var beta2: ConfigurationOption?
    @Option("grad_clip") var gradClip: ConfigurationOption?
}

struct EvaluationOptions: ParsableArguments {
    @Option("eval_interval") var evalInterval: ConfigurationOption?
    @Option("eval_iters") var evalIters: ConfigurationOption?
    @Option("eval_only") var evalOnly: ConfigurationOption?
    @Option("eval_on") var evalOn: ConfigurationOption?
    @Option("log_interval") var logInterval: ConfigurationOption?
    @Option("always_save_checkpoint") var alwaysSaveCheckpoint: ConfigurationOption?
    @Option("keep_checkpoints") var keepCheckpoints: ConfigurationOption?
    @Option("save_failure") var saveFailure: ConfigurationOption?
}

struct MachineOptions: ParsableArguments {
    @Option("threads") var threads: ConfigurationOption?
    @Option("device") var device: ConfigurationOption?
    @Option("dtype") var dtype: ConfigurationOption?
    @Option("profile") var profile: ConfigurationOption?
}

/// What nanoGPT's sample.py and bench.py are told to compute on; here it is always the same.
struct DeviceOptions: ParsableArguments {
    @Option("device") var device: ConfigurationOption?
    @Option("dtype") var dtype: ConfigurationOption?
    @Option("compile") var compile: ConfigurationOption?

    /// - Throws: `UserError(.usage)` for what this program does not compute on, or in.
    func check() throws {
        for notice in try ConfigurationSources(options: givenOptions).resolve().notices { Console.note(notice) }
    }
}

/// How ranks find and reach each other, whatever they do together.
struct ConnectionOptions: ParsableArguments {
    @Option("backend") var backend: ConfigurationOption?
    @Option("allreduce") var allReduce: ConfigurationOption?
    @Option("timeout") var timeout: ConfigurationOption?
    @Option("interface") var interface: ConfigurationOption?
    @Option("hostfile") var hostfile: ConfigurationOption?
}

/// What ranks that train do with their gradients besides.
struct ReductionOptions: ParsableArguments {
    @Option("bucket_cap_mb") var bucketMegabytes: ConfigurationOption?
    @Option("check_interval") var checkInterval: ConfigurationOption?
}

struct CompatibilityOptions: ParsableArguments {
    @Option("compile") var compile: ConfigurationOption?
    @Option("wandb_log") var wandbLog: ConfigurationOption?
    @Option("wandb_project") var wandbProject: ConfigurationOption?
    @Option("wandb_run_name") var wandbRunName: ConfigurationOption?
}
