import ArgumentParser
import Configuration
import Formats
import Interchange
import Performance
import Platform
import Training

/// `ddp-train plan`: what a run with these files and options will take.
struct Plan: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        abstract: "Memory and time that a configuration will take, before it is run.",
        discussion: """
            Measures for a few seconds: matrix products, copying, layers of the model's own width, and a save, for which it \
            writes a file of 16 MB to out_dir, or to the nearest folder above it that is there, and removes it again. Takes the \
            files and options of train; the data set need not be there. Memory is that of one rank.
            """
    )

    @OptionGroup var files: ConfigurationFiles
    @OptionGroup(title: "Job") var job: JobOptions
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

    @Flag(help: "Print one JSON object.")
    var json = false

    struct JobOptions: ParsableArguments {
        @Option(help: ArgumentHelp("Ranks, each on a machine like this one.", valueName: "n"))
        var ranks: NumberText = 1

        @Option(help: ArgumentHelp("Speed of each rank's network: \(Bandwidth.forms).", valueName: "speed"))
        var bandwidth: String?

        @Option(
            name: .customLong("vocab_size"),
            help: ArgumentHelp(
                "Different tokens. (default: those of the data set, or what the preset is meant for)",
                valueName: "n"
            )
        )
        var vocabularySize: NumberText?
    }

    func run() throws {
        var configuration = try sources.resolve(presetForDataset: Preset.suiting)
        for notice in configuration.notices { Console.note(notice) }
        let ranks = try job.ranks.whole("ranks", atLeast: 1, atMost: 1 << 20)
        let bandwidth = try job.bandwidth.map { try Bandwidth(parsing: $0) }
        var vocabularySize = try job.vocabularySize?.whole(
            "vocab_size",
            atLeast: 1,
            atMost: 1 << 24
        )
        var vocabularyOrigin = "--vocab_size"
        let weights = try weights(configuration)
        if let weights {
            try configuration.adopt(weights)
            if vocabularySize == nil {
                vocabularySize = weights.configuration.vocabularySize
                vocabularyOrigin = "of \(configuration.values.initFrom)"
            }
        }
        let plan = try RunPlan(
            values: configuration.values,
            data: PlannedData(
                configuration: configuration.values,
                vocabularySize: vocabularySize,
                origin: vocabularyOrigin
            ),
            weights: weights?.configuration,
            ranks: ranks,
            bandwidth: bandwidth,
            iteration: try resumedIteration(configuration.values)
        )
        try Console.output(json ? plan.json.text() + "\n" : plan.text)
        if let refusal = plan.refusal { throw UserError(.usage, "it does not fit this machine: \(refusal)") }
    }

    /// Of weights that are started from, only the shape counts.
    private func weights(_ configuration: ResolvedConfiguration) throws -> InitialWeights? {
        let initFrom = configuration.values.initFrom
        guard initFrom != "scratch", initFrom != "resume" else { return nil }
        let source = try ModelPlace.shape(of: initFrom, headCount: configuration.explicit(\.headCount))
        return InitialWeights(source: initFrom, configuration: source) { _ in }
    }

    private func resumedIteration(_ values: TrainingConfiguration) throws -> Int {
        guard values.initFrom == "resume" else { return 0 }
        return try CheckpointStore(outputFolder: values.outDir).iterations().first ?? 0
    }
}
