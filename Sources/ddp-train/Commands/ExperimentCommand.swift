import ArgumentParser
import Configuration
import Datasets
import Formats
import Insight
import Platform
import Preparation
import Training

/// `ddp-train experiment`: changes one thing at a time and shows what it was good for.
struct ExperimentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "experiment",
        abstract: "Train variants of the model beside a baseline, and report what each change does.",
        discussion: """
            Each arm is a run with other options, beside a baseline with the same data and seeds. What is found is written to \
            out_dir as experiments.html and experiments.json, again after every run, and every run is kept there. Sizes are small \
            unless options say otherwise, and the data the built-in demo corpus, whose optimum is known. In place of the defaults \
            below, which are those of train, unless you say otherwise: \(defaults).

            \(experimentTable)
            """
    )

    @Argument(help: ArgumentHelp("Experiments to make, or all.", valueName: "name"))
    var names: [String]

    @Option(help: ArgumentHelp("Runs of each arm, with seeds from --seed on.", valueName: "n"))
    var seeds: NumberText = 3

    @Flag(help: "Write what was found to standard output as one JSON object, and nothing else.")
    var json = false

    @OptionGroup(title: ConfigurationKey.Group.run.rawValue) var general: RegistryOptions<RunSection>
    @OptionGroup(title: ConfigurationKey.Group.model.rawValue) var model: RegistryOptions<ModelSection>
    @OptionGroup(title: ConfigurationKey.Group.variants.rawValue) var variants: RegistryOptions<VariantSection>
    @OptionGroup(title: ConfigurationKey.Group.optimization.rawValue) var optimization:
        RegistryOptions<OptimizationSection>
    @OptionGroup(title: ConfigurationKey.Group.evaluation.rawValue) var evaluation: RegistryOptions<EvaluationSection>
    @OptionGroup(title: ConfigurationKey.Group.machine.rawValue) var machine: RegistryOptions<MachineSection>

    func run() throws {
        let experiments = try chosen()
        let sources = ConfigurationSources(
            options: general.given + model.given + variants.given + optimization.given + evaluation.given
                + machine.given
        )
        let configuration = try ExperimentSession.base(try sources.resolve())
        for key in ConfigurationKey.of([\.initFrom, \.evalOnly, \.profile]) where configuration.isExplicit(key) {
            throw UserError(.usage, "--\(key.name) does not go with experiments, which train from scratch")
        }
        let standard = RunOutput.Sink.standard
        let quiet = RunOutput.Sink(line: { _ in }, note: standard.note, terminal: standard.terminal)
        let output = RunOutput(json ? quiet : standard, saysProgress: !json)
        for notice in configuration.notices { output.note(notice) }
        let dataset = try dataset(configuration.values, output)
        for notice in dataset.notices { output.note(notice) }
        let stop = StopRequest()
        stop.listen()
        let session = try ExperimentSession(
            experiments,
            seedCount: try seeds.whole("seeds", atLeast: 1, atMost: 100),
            configuration: configuration,
            dataset: dataset,
            output: output,
            stop: stop
        )
        let outcome = try session.run()
        output.clearProgress()
        if json {
            try Console.output(session.json.text() + "\n")
        } else {
            for line in session.lines { output.line(line) }
        }
        if outcome == .stopped { throw ExitCode(ExitStatus.stopped) }
    }

    private static var defaults: String {
        ExperimentSession.defaults().map { "\($0.name)=\($0.value)" }.joined(separator: ", ")
    }

    /// A line for what an experiment is about, and its arms below, in as many lines of 80 columns as they need.
    private static var experimentTable: String {
        Experiment.all.flatMap { experiment in
            var lines: [String] = []
            for arm in experiment.arms.map(\.name) {
                if let last = lines.last, last.count + arm.count < 60 {
                    lines[lines.count - 1] = "\(last); \(arm)"
                } else {
                    lines.append(arm)
                }
            }
            return [TextTable.line([("  " + experiment.name, -16), (experiment.title, -1)])]
                + lines.map { String(repeating: " ", count: 18) + $0 }
        }.joined(separator: "\n")
    }

    private func chosen() throws -> [Experiment] {
        if names.contains("all") { return Experiment.all }
        var seen: Set<String> = []
        return try names.filter { seen.insert($0).inserted }.map { name in
            guard let experiment = Experiment.named(name) else {
                let known = Experiment.all.map(\.name)
                throw UserError(
                    .usage,
                    "no experiment \(name)\(NearestName.hint(for: name, among: known)); there are \(known.joined(separator: ", ")), and all"
                )
            }
            return experiment
        }
    }

    /// The demo corpus is made where it is missing; any other dataset has to be there.
    private func dataset(_ values: TrainingConfiguration, _ output: RunOutput) throws -> Dataset {
        if values.dataset == DemoCorpus.name {
            let meter = PreparationMeter()
            _ = try DefaultDataset.demo(dataFolder: values.dataDir) { output.progress(meter.text($0)) }
        }
        return try Dataset.open(folder: values.dataDir, name: values.dataset)
    }
}
