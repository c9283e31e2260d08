import ArgumentParser
import Configuration

/// A command that takes configuration files and every option of a run, in the sections of the registry.
///
/// Each command has the groups itself: the parser's checks of debug builds take four times as long for groups in a group.
protocol ConfiguredCommand: ParsableCommand {
    var files: ConfigurationFiles { get }
    var general: RegistryOptions<RunSection> { get }
    var model: RegistryOptions<ModelSection> { get }
    var variants: RegistryOptions<VariantSection> { get }
    var optimization: RegistryOptions<OptimizationSection> { get }
    var evaluation: RegistryOptions<EvaluationSection> { get }
    var machine: RegistryOptions<MachineSection> { get }
    var ranks: RegistryOptions<RankSection> { get }
    var compatibility: RegistryOptions<CompatibilitySection> { get }
}

extension ConfiguredCommand {
    /// What was given, in the order of the registry.
    var sources: ConfigurationSources {
        ConfigurationSources(
            files: files.paths,
            options: general.given + model.given + variants.given + optimization.given + evaluation.given
                + machine.given + ranks.given + compatibility.given
        )
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

enum RunSection: RegistrySelection { static let options = RegistryOption.all(in: .run) }
enum ModelSection: RegistrySelection { static let options = RegistryOption.all(in: .model) }
enum VariantSection: RegistrySelection { static let options = RegistryOption.all(in: .variants) }
enum OptimizationSection: RegistrySelection { static let options = RegistryOption.all(in: .optimization) }
enum EvaluationSection: RegistrySelection { static let options = RegistryOption.all(in: .evaluation) }
enum MachineSection: RegistrySelection { static let options = RegistryOption.all(in: .machine) }
enum RankSection: RegistrySelection { static let options = RegistryOption.all(in: .ranks) }
enum CompatibilitySection: RegistrySelection { static let options = RegistryOption.all(in: .compatibility) }

/// How ranks find and reach each other and sum, whatever they do together.
enum ConnectionSelection: RegistrySelection {
    static let options = RegistryOption.of([
        \.backend, \.allReduce, \.timeout, \.meetTimeout, \.portRange, \.interface, \.hostfile,
    ])
}

/// What nanoGPT's sample.py and bench.py are told to compute on; here it is always the same.
enum DeviceSelection: RegistrySelection {
    static let options = RegistryOption.of([\.device, \.dtype, \.compile])
}

extension RegistryOptions<DeviceSelection> {
    /// - Throws: `UserError(.usage)` for what this program does not compute on, or in.
    func check() throws {
        for notice in try ConfigurationSources(options: given).resolve().notices { Console.note(notice) }
    }
}
