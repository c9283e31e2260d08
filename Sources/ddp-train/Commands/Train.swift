import ArgumentParser
import Configuration
import Datasets
import Insight
import Interchange
import Platform
import Preparation
import Supervision
import Training
import Transformer

/// `ddp-train train`, and `ddp-train` without a command.
struct Train: ConfiguredCommand, RankedCommand {
    static let configuration = CommandConfiguration(
        abstract: "Train a model.",
        discussion: """
            Values come from built-in defaults (nanoGPT's), then a preset, then configuration files in their order, then \
            options. "ddp-train config" shows the result, with where each value comes from.

            \(presetTable)
            """
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

    @Option(
        help: ArgumentHelp("What --init_from=gpt2 would download, if it is there already.", valueName: "path"),
        completion: .file()
    )
    var from: String?

    func run() throws {
        // A run does not end because nobody reads what it says any more.
        signal(SIGPIPE, SIG_IGN)
        EndingSignals.leaveAtOnce(saying: !ParentWatch.isUnderLauncher)
        let configuration = try RankJob.watchingStorage(timeout: TrainingConfiguration().timeout) {
            try sources.resolve(presetForDataset: Preset.suiting)
        }
        let stop = StopRequest()
        let job = try RankJob.join(configuration, as: [("command", "train")], stop: stop)
        // The others are told that this rank leaves, and leave with it.
        if job.connection.communicator.worldSize > 1 { stop.listen(saying: false) }
        try job.run { try train(configuration, job, stop) }
    }

    private func train(_ asked: ResolvedConfiguration, _ job: RankJob, _ stop: StopRequest) throws {
        var configuration = asked
        let (output, board) = (job.output, job.connection.communicator.board)
        try board.during(.readingCheckpoint) { try shareStart(&configuration, job) }
        let dataset = try openDataset(&configuration, job)
        if job.isMain { for notice in configuration.notices + dataset.notices { output.note(notice) } }
        if let route = job.connection.route { output.line("network: \(route)") }
        let trainer = try Trainer(
            configuration: configuration,
            dataset: dataset,
            weights: try board.during(.readingWeights) {
                job.isMain ? try initialWeights(configuration, for: dataset, output) : nil
            },
            stop: stop,
            output: output,
            observers: observers(configuration.values, output),
            communicator: job.connection.communicator,
            version: Version.program
        )
        stop.listen(saying: !ParentWatch.isUnderLauncher)
        switch try trainer.run() {
        case .finished: break
        case .stopped: throw ExitCode(ExitStatus.stopped)
        }
    }

    /// What only rank 0 needs on its disk: the run that is resumed, with its options, or the model that is started from.
    private func shareStart(_ configuration: inout ResolvedConfiguration, _ job: RankJob) throws {
        let given = configuration.values
        let resumes = given.initFrom == "resume" && from == nil
        let found = try job.connection.communicator.foundByMain {
            try Self.checkResume(given)
            if let from { return try ModelPlace.locate(given.initFrom, copy: from, output: job.output) }
            try Self.checkModel(given.initFrom)
            return resumes ? try SavedConfiguration.text(outDir: given.outDir) : given.initFrom
        }
        if from != nil {
            // So that the run can be repeated from what it says of itself.
            configuration.choose("--from", \.initFrom, found)
        } else if resumes, !job.isMain {
            configuration = try sources.resolve(resumed: found, presetForDataset: Preset.suiting)
            keepJoined(given, &configuration, job)
        }
    }

    /// A rank without the run's options has joined by its own: it says or shares what differs from rank 0's.
    private func keepJoined(
        _ joined: TrainingConfiguration,
        _ configuration: inout ResolvedConfiguration,
        _ job: RankJob
    ) {
        let timeout = ConfigurationKey.of(\.timeout)
        if joined.timeout != configuration.values.timeout {
            job.output.note(
                """
                timeout=\(timeout.argument(in: joined)) holds on this rank, and \(timeout.argument(in: configuration.values)) on \
                rank 0, as the run's config.toml says: give --timeout to every rank
                """
            )
        }
        // That rank 0 sums otherwise is found where all ranks compare their options.
        configuration.choose("as joined", ConfigurationKey.of([\.timeout, \.allReduce]), from: joined)
    }

    /// What hangs on a run besides its own logs. An evaluation alone writes nothing.
    private func observers(_ values: TrainingConfiguration, _ output: RunOutput) -> [any TrainingObserver] {
        guard !values.evalOnly else { return [] }
        return [
            TensorBoardLog(outputFolder: values.outDir) { output.note($0) },
            ReportLog(outputFolder: values.outDir) { output.note($0) },
        ]
    }

    /// What every rank would find wrong on one machine: a launcher that looks first says it once.
    ///
    /// - Throws: `UserError`.
    static func checkBeforeRanks(_ configuration: ResolvedConfiguration) throws {
        let values = configuration.values
        try checkResume(values)
        try checkModel(values.initFrom)
        guard !isFound(configuration) else { return }
        _ = try Dataset.open(folder: values.dataDir, name: values.dataset)
    }

    /// Before data are looked for, which may take a download. Only rank 0 needs a run's folder or a model.
    private static func checkResume(_ values: TrainingConfiguration) throws {
        if values.initFrom == "resume" { try RunFiles(folder: values.outDir).checkResume() }
    }

    /// Whether rank 0 looks for the dataset, and prepares it where it is missing: where none was asked for, or the demo corpus.
    private static func isFound(_ configuration: ResolvedConfiguration) -> Bool {
        configuration.origin(of: \.dataset) == .builtIn || configuration.values.dataset == DemoCorpus.name
    }

    /// Before data are looked for, too: that there is a model of this name, or could be by download.
    private static func checkModel(_ initFrom: String) throws {
        if initFrom != "scratch", initFrom != "resume" { try ModelPlace.check(initFrom) }
    }

    /// The dataset that was asked for; where none was, the first that can be had.
    private func openDataset(_ configuration: inout ResolvedConfiguration, _ job: RankJob) throws -> Dataset {
        let (dataFolder, board) = (configuration.values.dataDir, job.connection.communicator.board)
        if Self.isFound(configuration) {
            var name = ""
            if job.isMain {
                let meter = PreparationMeter()
                let progress = { job.output.progress(meter.text($0)) }
                let choice = try board.during(.findingDataset) {
                    configuration.origin(of: \.dataset) == .builtIn
                        ? try DefaultDataset.find(dataFolder: dataFolder, progress: progress)
                        : try DefaultDataset.demo(dataFolder: dataFolder, progress: progress)
                }
                if !choice.explanation.isEmpty { job.output.note(choice.explanation) }
                name = choice.name
            }
            name = String(decoding: try job.connection.communicator.broadcast(message: Array(name.utf8)), as: UTF8.self)
            if name != configuration.values.dataset {
                configuration.choose("what is at hand", \.dataset, name)
            }
        }
        return try board.during(.openingDataset) {
            try Dataset.open(folder: dataFolder, name: configuration.values.dataset)
        }
    }

    private func initialWeights(
        _ configuration: ResolvedConfiguration,
        for dataset: Dataset,
        _ output: RunOutput
    ) throws -> InitialWeights? {
        let initFrom = configuration.values.initFrom
        guard initFrom != "scratch", initFrom != "resume" else { return nil }
        let path = try ModelPlace.locate(initFrom, copy: nil, output: output)
        if Checkpoint.isCheckpoint(path) { try Checkpoint(folder: path).verify() }
        let source = try PretrainedModel(path: path, headCount: configuration.explicit(\.headCount))
        for notice in source.notices { output.note(notice) }
        try dataset.checkTokenizer(against: TrainedModel.tokenizer(in: source.folder), of: path)
        return InitialWeights(source: path, configuration: source.configuration) { try source.load(into: $0) }
    }

    /// A line for each preset, its numbers in columns.
    private static var presetTable: String {
        let keys = ConfigurationKey.of([
            \.layerCount, \.headCount, \.embeddingSize, \.blockSize, \.batchSize, \.maxIters,
        ])
        let rows = Preset.allCases.map { preset in
            [preset.rawValue] + keys.map { $0.argument(in: preset.values) } + [preset.summary]
        }
        let table = [["PRESET"] + keys.map(\.name) + [""]] + rows
        let widths = (0..<keys.count + 1).map { column in table.map { $0[column].count }.max()! }
        return table.map { row in
            TextTable.line(zip(row, widths).map { ($0, -$1 - 1) } + [(row.last!, 0)])
        }.joined(separator: "\n")
    }
}
