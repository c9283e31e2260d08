import ArgumentParser
import Configuration
import Formats

/// `ddp-train config`: what a run with these files and options would be configured as.
struct Config: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the resolved configuration, with where each value comes from.",
        discussion: "The output is a configuration file: given back to train, it repeats the configuration."
    )

    @OptionGroup var files: ConfigurationFiles
    @OptionGroup(title: ConfigurationKey.Group.run.rawValue) var general: RegistryOptions<RunSection>
    @OptionGroup(title: ConfigurationKey.Group.model.rawValue) var model: RegistryOptions<ModelSection>
    @OptionGroup(title: ConfigurationKey.Group.variants.rawValue) var variants: RegistryOptions<VariantSection>
    @OptionGroup(title: ConfigurationKey.Group.optimization.rawValue)
    var optimization: RegistryOptions<OptimizationSection>
    @OptionGroup(title: ConfigurationKey.Group.evaluation.rawValue) var evaluation: RegistryOptions<EvaluationSection>
    @OptionGroup(title: ConfigurationKey.Group.machine.rawValue) var machine: RegistryOptions<MachineSection>
    @OptionGroup(title: ConfigurationKey.Group.ranks.rawValue) var ranks: RegistryOptions<RankSection>
    @OptionGroup(title: ConfigurationKey.Group.compatibility.rawValue)
    var compatibility: RegistryOptions<CompatibilitySection>

    @Flag(help: "Print one JSON object: for every key its value and origin.")
    var json = false

    func run() throws {
        let resolved = try sources.resolve(presetForDataset: Preset.suiting)
        for notice in resolved.notices { Console.note(notice) }
        try Console.output(json ? resolved.json.text() + "\n" : resolved.toml)
    }
}
