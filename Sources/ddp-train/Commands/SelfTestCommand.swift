import ArgumentParser
import Compute
import Configuration
import Datasets
import Formats
import Insight
import Platform
import Training

/// `ddp-train selftest`: what each part of the model must do, and whether it does, on the user's own configuration.
struct SelfTestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "selftest",
        abstract: "Check the parts of the model one by one, on your own configuration.",
        discussion: """
            A tour from the embeddings to a few steps of training: each check says what it verifies, what was measured, and whether \
            it passes. The model is new and its tokens random, so no data are needed; where the data set is there, its \
            vocabulary is used. The exit code is 1 if a check fails.
            """
    )

    @OptionGroup var files: ConfigurationFiles
    @OptionGroup(title: ConfigurationKey.Group.run.rawValue) var general: RegistryOptions<RunSection>
    @OptionGroup(title: ConfigurationKey.Group.model.rawValue) var model: RegistryOptions<ModelSection>
    @OptionGroup(title: ConfigurationKey.Group.variants.rawValue) var variants: RegistryOptions<VariantSection>
    @OptionGroup(title: ConfigurationKey.Group.machine.rawValue) var machine: RegistryOptions<MachineSection>

    @Flag(help: "Write the checks to standard output as one JSON object, and nothing else.")
    var json = false

    func run() throws {
        let sources = ConfigurationSources(
            files: files.paths,
            options: general.given + model.given + variants.given + machine.given
        )
        let configuration = try sources.resolve(presetForDataset: Preset.suiting)
        let values = configuration.values
        for notice in configuration.notices { Console.note(notice) }
        let dataset = try? Dataset.open(folder: values.dataDir, name: values.dataset)
        // As many as Shakespeare has characters.
        let shape = values.model(vocabularySize: dataset?.vocabularySize ?? 65)
        var training = values
        training.batchSize = 2
        _ = try MemoryCheck(
            model: shape,
            training: training,
            threads: Processors.count(asked: values.threads),
            available: MemoryCheck.availableBytes
        )
        let pool = WorkerPool(threadCount: Processors.count(asked: values.threads))
        let test = SelfTest(shape, pool: pool, seed: values.seed)
        if !json {
            let title =
                "\(shape.layerCount) layers, \(shape.headCount) heads, width \(shape.embeddingSize), vocabulary \(shape.vocabularySize)"
            try Console.output(
                "selftest of \(title), \(Kernels.standard.instructionSet), \(pool.threadCount) threads\n"
            )
        }
        let start = ContinuousClock.now
        let checks = test.run { check in
            if !json { try? Console.output(check.lines.joined(separator: "\n") + "\n") }
        }
        let failed = checks.count { !$0.passed }
        if json {
            let object = JSONValue.object([
                .init("passed", .bool(failed == 0)), .init("checks", .array(checks.map(\.json))),
            ])
            try Console.output(object.text() + "\n")
        } else {
            let seconds = Numbers.fixed((ContinuousClock.now - start) / .seconds(1), 1)
            let end = failed == 0 ? "all \(checks.count) checks passed" : "\(failed) of \(checks.count) checks failed"
            try Console.output("\(end) in \(seconds) s\n")
        }
        if failed > 0 {
            let variants = shape.variantChanges.map { "\($0.name)=\($0.value)" }
            if !variants.isEmpty {
                Console.note(
                    "the configuration asks for \(variants.joined(separator: ", ")): a check may fail for that alone"
                )
            }
            throw ExitCode(1)
        }
    }
}
