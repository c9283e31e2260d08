import ArgumentParser
import Formats
import Performance
import Training

/// `ddp-train doctor`: what this build and machine have, and what is missing.
struct Doctor: RankedCommand {
    static let configuration = CommandConfiguration(
        abstract: "What this build and machine have for training, and what is missing.",
        discussion: """
            For each thing that is missing it says what that is needed for and how to install it. Exit code 0 unless \
            something without which nothing works is broken, then 1.
            """
    )

    @Option(name: .customLong("data_dir"), help: ArgumentHelp("Folder of the data sets.", valueName: "folder"))
    var dataDir = TrainingConfiguration().dataDir

    @Option(name: .customLong("out_dir"), help: ArgumentHelp("Folder that runs write to.", valueName: "folder"))
    var outDir = TrainingConfiguration().outDir

    @Option(help: ArgumentHelp("Worker threads to measure with; 0 takes every core.", valueName: "n"))
    var threads: NumberText = 0

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let threads = try threads.whole("threads", atLeast: 0, atMost: 1024)
        let report = Performance.Doctor(
            version: DDPTrain.configuration.version,
            dataDir: dataDir,
            outDir: outDir,
            threads: Processors.count(asked: threads)
        ).examine()
        try Console.output(json ? report.json.text() + "\n" : report.text)
        if !report.isFine { throw ExitCode(UserError.Kind.other.rawValue) }
    }
}
