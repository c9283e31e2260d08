import ArgumentParser
import Configuration
import Formats
import Performance
import Platform
import Training

/// `ddp-train doctor`: what this build and machine have, and what is missing.
struct Doctor: RankedCommand {
    static let configuration = CommandConfiguration(
        abstract: "What this build and machine have for training, and what is missing.",
        discussion: """
            For each thing that is missing it says what that is needed for and how to install it. Exit code 0 unless \
            something without which nothing works is broken, then 1.

            As the ranks of a job (ddp-train launch -n 4 doctor, mpirun -np 4 ddp-train doctor) every rank examines its \
            machine, they meet as they would to train, and every edge of their ring is measured by itself.
            """
    )

    @Option(name: .customLong("data_dir"), help: ArgumentHelp("Folder of the data sets.", valueName: "folder"))
    var dataDir = TrainingConfiguration().dataDir

    @Option(name: .customLong("out_dir"), help: ArgumentHelp("Folder that runs write to.", valueName: "folder"))
    var outDir = TrainingConfiguration().outDir

    @Option(help: NumberText.threadsHelp)
    var threads: NumberText = 0

    @OptionGroup(title: ConfigurationKey.Group.ranks.rawValue) var connection: RegistryOptions<ConnectionSelection>

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let threads = try threads.askedThreads()
        let configuration = try ConfigurationSources(options: connection.given).resolve()
        let job = try RankJob.join(configuration, as: [("command", "doctor")])
        let (isFine, text) = try job.run {
            let communicator = job.connection.communicator
            let doctor = Performance.Doctor(
                version: Version.program,
                dataDir: dataDir,
                outDir: outDir,
                threads: try ThreadShare(asked: threads, communicator: communicator).threads
            )
            guard communicator.worldSize > 1 else {
                let report = communicator.board.during(.examining) { doctor.examine() }
                return (report.isFine, json ? report.json.text() + "\n" : report.text)
            }
            let report = try JobReport(doctor, communicator, route: job.connection.route ?? "")
            return (report.isFine, job.isMain ? json ? report.json.text() + "\n" : report.text : "")
        }
        // When the job is left: nobody waits for a reader then.
        if !text.isEmpty { try Console.output(text) }
        if !isFine { throw ExitCode(UserError.Kind.other.rawValue) }
    }
}
