import ArgumentParser
import Formats
import Interchange
import Text
import Training
import Transformer

/// `ddp-train train`, and `ddp-train` without a command.
struct Train: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model.",
        discussion: """
            Values come from built-in defaults (nanoGPT's), then a preset, then configuration files in their order, then \
            options. "ddp-train config" shows the result, with where each value comes from.

            Presets, with n_layer/n_head/n_embd, block_size, batch_size and max_iters:
            \(presets)
            """
    )

    @OptionGroup var files: ConfigurationFiles
    @OptionGroup(title: ConfigurationKey.Group.run.rawValue) var general: RunOptions
    @OptionGroup(title: ConfigurationKey.Group.model.rawValue) var model: ModelOptions
    @OptionGroup(title: ConfigurationKey.Group.optimization.rawValue) var optimization: OptimizationOptions
    @OptionGroup(title: ConfigurationKey.Group.evaluation.rawValue) var evaluation: EvaluationOptions
    @OptionGroup(title: ConfigurationKey.Group.machine.rawValue) var machine: MachineOptions
    @OptionGroup(title: ConfigurationKey.Group.compatibility.rawValue) var compatibility: CompatibilityOptions

    func run() throws {
        var configuration = try sources.resolve(presetForDataset: Preset.suiting)
        for notice in configuration.notices { Console.note(notice) }
        try checkResume(configuration.values)
        let dataset = try openDataset(&configuration)
        for notice in dataset.notices { Console.note(notice) }
        let trainer = try Trainer(
            configuration: configuration,
            dataset: dataset,
            weights: try initialWeights(configuration.values.initFrom),
            stop: .onSignals()
        )
        switch try trainer.run() {
        case .finished: break
        case .stopped: throw ExitCode(75)
        }
    }

    /// Before data are looked for, which may take a download.
    private func checkResume(_ values: TrainingConfiguration) throws {
        guard values.initFrom == "resume", FileSystem.kind(of: values.outDir) != .folder else { return }
        throw UserError(.inputOutput, "nothing to resume: there is no folder \(values.outDir); check --out_dir")
    }

    /// The data set that was asked for; where none was, the first that can be had.
    private func openDataset(_ configuration: inout ResolvedConfiguration) throws -> Dataset {
        let dataFolder = configuration.values.dataDir
        if configuration.origin(of: "dataset") == .builtIn {
            let output = RunOutput()
            let choice = try DefaultDataset.find(dataFolder: dataFolder) { output.progress($0.text) }
            if !choice.explanation.isEmpty { output.note(choice.explanation) }
            if choice.name != configuration.values.dataset {
                configuration.choose("what is at hand", ["dataset"]) { $0.dataset = choice.name }
            }
        }
        return try Dataset.open(folder: dataFolder, name: configuration.values.dataset)
    }

    private func initialWeights(_ initFrom: String) throws -> InitialWeights? {
        guard initFrom != "scratch", initFrom != "resume" else { return nil }
        let source = try HuggingFaceModel(folder: ModelFolder.locate(initFrom))
        return InitialWeights(source: source.folder, configuration: source.configuration) { try source.load(into: $0) }
    }

    /// A line for each preset.
    private static var presets: String {
        Preset.allCases.map { preset in
            let values = preset.values
            let shape = "\(values.layerCount)/\(values.headCount)/\(values.embeddingSize)"
            let sizes = "\(values.blockSize), \(values.batchSize), \(values.maxIters)"
            return "\(preset.rawValue): \(shape), \(sizes): \(preset.summary)"
        }.joined(separator: "\n")
    }
}

extension PreparationProgress {
    /// For a progress line.
    var text: String {
        let share = totalBytes > 0 ? 100 * Double(doneBytes) / Double(totalBytes) : 0
        return "\(stage.rawValue): \(doneBytes / 1000) of \(totalBytes / 1000) kB (\(Int(share))%)"
    }
}
