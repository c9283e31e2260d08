import ArgumentParser
import Collectives
import Configuration
import Platform
import Supervision
import Training

/// `ddp-train launch`: several ranks on this machine, watched over.
struct Launch: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run several ranks on this machine, and start them again when one fails.",
        usage: "ddp-train launch -n <n> [--max_restarts <k>] [--log_dir <path>] [--] [<command>] [<arguments>]",
        discussion: """
            Every rank runs ddp-train with these arguments; without a command, they train. What follows the first \
            argument that is not launch's own belongs to the ranks, and so does all that follows "--".

              ddp-train launch -n 4 --dataset=mine --out_dir=out-mine
              ddp-train launch -n 2 --max_restarts 3 --log_dir logs -- settings.toml
              ddp-train launch -n 4 doctor

            Output: what rank 0 prints on standard output, results and progress, comes as it is. Everything else comes \
            with the rank before each line, as "[rank 2] ". Standard input is empty. With --log_dir each rank has a file \
            there as well, rank-0.log and so on (rank-00.log with more than ten), with both of its streams. Every start \
            adds to the files, after a line with its number and time. Logs that cannot be written any more, as on a full \
            disk, are one line here, and the ranks go on.

            Signals: SIGTERM, SIGINT (Ctrl-C), SIGHUP (a closed terminal, unless nohup is used) and SIGUSR1 are passed \
            on to every rank, once; ranks that train save their last whole step then, and end. Another SIGTERM, SIGINT \
            or SIGHUP, two seconds later or more, ends them without saving, a third at once. When the launcher itself \
            is killed, the ranks leave.

            Failures: when one rank fails, the others leave too; those that have not after ten seconds are ended. With \
            --max_restarts all are then started again, from the last checkpoint of the run if it has saved one, else \
            from the beginning; not after wrong usage, bad data or a signal. The first restart comes after 1 s, each \
            further one after twice as long, up to 60 s. When a checkpoint was saved since the last start, restarts and \
            pauses count from 1 again. A signal during a pause ends the job at once: with code 75 where a checkpoint can \
            be resumed, else with that of the failure.

            Ranks find RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT in their \
            environment, and a secret and an id of this job (DDP_TRAIN_JOB_ID), which keep ranks of other jobs away. They \
            meet on 127.0.0.1.

            Exit codes: 0 when all ranks are done; 75 when they were stopped after saving; 74 when --log_dir cannot be \
            written at the start; else the code of the rank that failed, or 128 + the signal that killed it. A rank that \
            left because of another (69) counts only if no other failed.
            """
    )

    @Option(
        name: [.customShort("n"), .customLong("ranks")],
        help: ArgumentHelp("Ranks to run, 1 to 1024.", valueName: "n")
    )
    var ranks: NumberText?

    @Option(
        name: .customLong("max_restarts"),
        help: ArgumentHelp(
            "How often all ranks are started again after failures without a new checkpoint between them.",
            valueName: "k"
        )
    )
    var maxRestarts: NumberText = 0

    @Option(
        name: .customLong("log_dir"),
        help: ArgumentHelp("Folder for a file with the output of each rank.", valueName: "path"),
        completion: .directory
    )
    var logFolder: String?

    @Argument(parsing: .postTerminator, help: "A command with its arguments, for every rank.")
    var arguments: [String] = []

    func run() throws {
        guard let ranks else {
            throw UserError(.usage, "launch needs the number of ranks: ddp-train launch -n 4")
        }
        let rankCount = try ranks.whole("-n", atLeast: 1, atMost: 1024)
        let maxRestarts = try maxRestarts.whole("max_restarts", atLeast: 0)
        if logFolder == "" { throw UserError(.usage, "log_dir=: must be a folder, such as logs") }
        // What is wrong with them is said once, and not by every rank.
        let arguments = try ArgumentNormalizer(OptionTable(of: DDPTrain.self)).normalize(arguments)
        let command = try DDPTrain.parseAsRoot(arguments)
        guard command is any RankedCommand else {
            if arguments.contains(where: ["-h", "--help", "--version"].contains) {
                // The parser answers in the command's place.
                var answer = command
                return try answer.run()
            }
            let known = DDPTrain.configuration.subcommands.filter { $0 is any RankedCommand.Type }.map {
                $0._commandName
            }
            throw UserError(.usage, "\(arguments[0]) runs as one process, without launch; ranks run \(known.formatted)")
        }
        let configuration = try RankJob.watchingStorage(as: "launch", timeout: TrainingConfiguration().timeout) {
            let configuration = try (command as? Train)?.sources.resolve(presetForDataset: Preset.suiting)
            try configuration.map(Train.checkBeforeRanks)
            return configuration
        }
        let job = Job(
            executable: try OwnExecutable.path(),
            arguments: arguments,
            rankCount: rankCount,
            maxRestarts: maxRestarts,
            logFolder: logFolder,
            environment: ProcessEnvironment.variables
        )
        try Self.run(job, configuration)
    }

    /// - Parameter configuration: of ranks that train.
    private static func run(_ job: Job, _ configuration: ResolvedConfiguration?) throws {
        var plan = configuration.map { RestartPlan(outDir: $0.values.outDir) }
        let resumes = configuration?.values.initFrom == "resume"
        let signals = try SignalPipe()
        let supervisor = Supervisor(job, signals: signals.descriptor) {
            var next = continuation(of: job.arguments, plan?.beginning() ?? .first(overwriting: false))
            next.hasProgressed = plan?.hasProgressed() ?? false
            if resumes, plan?.hasCheckpoint == true { next.canBeResumed = true }
            return next
        }
        let code = try supervisor.run()
        guard code != 0 else { return }
        if code != ExitStatus.stopped, case .checkpoint(let iteration)? = plan?.beginning() {
            Console.note(
                "launch: iteration \(iteration) is saved; the same command goes on from it with --init_from=resume"
            )
        }
        throw ExitCode(code)
    }

    /// - Parameters:
    ///   - arguments: in the form that the parser takes, the command first.
    ///   - beginning: where the ranks can begin now.
    static func continuation(of arguments: [String], _ beginning: RestartPlan.Beginning) -> Job.Continuation {
        switch beginning {
        case .checkpoint(let iteration):
            Job.Continuation(
                arguments: setting("--init_from=resume", in: arguments, without: ["init_from", "from", "overwrite"]),
                beginning: "going on from iteration \(iteration)",
                canBeResumed: true
            )
        case .first(overwriting: true):
            Job.Continuation(
                arguments: setting("--overwrite=true", in: arguments, without: ["overwrite"]),
                beginning: "from the beginning, as nothing was saved"
            )
        case .first(overwriting: false):
            Job.Continuation(arguments: arguments, beginning: "as at first")
        }
    }

    private static func setting(_ option: String, in arguments: [String], without names: [String]) -> [String] {
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        let kept = arguments[1..<end].filter { argument in !names.contains { argument.hasPrefix("--\($0)=") } }
        return [arguments[0], option] + kept + arguments[end...]
    }
}

extension [String] {
    /// As in "a, b and c".
    fileprivate var formatted: String {
        count < 2 ? joined() : dropLast().joined(separator: ", ") + " and " + last!
    }
}
