import ArgumentParser
import Collectives
import Compute
import Configuration
import Formats
import Performance
import Platform
import Supervision
import Training
import Transformer

/// `ddp-train bench-comm`: how fast the ranks of a job sum gradients.
struct BenchComm: RankedCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-comm",
        abstract: "Measure the all-reduce of several ranks over each transport, and recommend one.",
        discussion: """
            Alone it starts ranks on this machine, by mpirun where it is and MPI is built in. Several machines are measured as \
            the job that would train on them:

              ddp-train bench-comm --ranks 2
              mpirun -np 4 --hostfile hosts ddp-train bench-comm
              ddp-train launch -n 4 bench-comm

            Under mpirun the ring over MPI's messages, MPI_Allreduce (native) and the ring over TCP take turns, unless \
            --backend or --allreduce names one; everywhere else there is the ring over TCP.

            What is recommended is what sums a run's gradient fastest, bucket by bucket, as training does: of a model of the \
            options and files given, GPT-2's 124 million parameters without any; of a larger gradient, the first 128 MB. A \
            large sum at once may be faster in another way.

            Every rank sums as many bytes at once, the slowest rank counts. Bus bandwidth is what each rank sends and receives, \
            bytes * 2 (n - 1) / n / time, which a ring cannot lift above the speed of the slower of network and memory.
            """
    )

    @Option(help: ArgumentHelp("Megabytes to sum, with commas between.", valueName: "list"))
    var sizes = "0.004,0.1,1,8,42"

    @Option(help: ArgumentHelp("How often each size is measured.", valueName: "n"))
    var repeats: NumberText = 10

    @Option(help: ArgumentHelp("Ranks to start on this machine, when it is run alone. (default: 2)", valueName: "n"))
    var ranks: NumberText?

    @OptionGroup var files: ConfigurationFiles
    @OptionGroup(title: "Gradient") var shape: RegistryOptions<GradientSelection>

    @Option(
        name: .customLong("vocab_size"),
        help: ArgumentHelp("Different tokens. (default: what the preset is meant for)", valueName: "n")
    )
    var vocabularySize: NumberText?

    @OptionGroup(title: ConfigurationKey.Group.ranks.rawValue) var connection: RegistryOptions<ConnectionSelection>

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let bytes = try sizes.split(separator: ",").map { text in
            let megabytes = try NumberText(argument: String(text)).number(
                "sizes",
                "megabytes from 0.000004 to 4000, with commas between",
                { $0 >= 4e-6 && $0 <= 4000 }
            )
            return max(1, Int(megabytes * 250_000)) * 4
        }
        guard !bytes.isEmpty else { throw UserError(.usage, "sizes=\(sizes): name at least one, such as 8") }
        let repetitions = try repeats.whole("repeats", atLeast: 1, atMost: 10_000)
        let rankCount = try ranks?.whole("ranks", atLeast: 2, atMost: 1024)
        let configuration = try ConfigurationSources(files: files.paths, options: shape.given + connection.given)
            .resolve { _, _ in .gpt2 }
        let values = configuration.values
        let vocabularySize = try vocabularySize?.whole("vocab_size", atLeast: 1, atMost: 1 << 24)
        let model = values.model(vocabularySize: vocabularySize ?? values.preset.vocabularySize)
        if try RankJob.isAlone(values) { throw try start(rankCount ?? 2, backend: values.backend) }
        guard rankCount == nil else {
            throw UserError(
                .usage,
                "--ranks starts ranks on this machine, and this is already one of a job: leave it out"
            )
        }
        let parameterCount = ParameterLayout(model).count
        let job = try RankJob.join(
            configuration,
            as: [("command", "bench-comm"), ("sizes", sizes), ("repeats", repeats.text)],
            comparesRoutes: true
        )
        let text = try job.run {
            let buckets = GradientBuckets(
                count: parameterCount,
                atMost: values.bucketMegabytes * 1_000_000,
                communicator: job.connection.communicator
            )
            let gradient = buckets.first(atMost: Self.mostOfGradient)
            return try measure(
                AllReduceBenchmark(sizes: bytes, gradient: gradient, repetitions: repetitions),
                AllReduceReport.Gradient(
                    model: "preset \(values.preset.rawValue)\(shape.given.isEmpty ? "" : " with options")",
                    bytes: 4 * parameterCount,
                    bucketBytes: 4 * gradient.map(\.count).max()!,
                    bucketCount: gradient.count
                ),
                job
            )
        }
        // When the job is left: nobody waits for a reader then.
        if let text { try Console.output(text) }
    }

    /// Bytes, unless a bucket has more: beyond what caches hold, and no more than takes seconds on a slow network.
    private static let mostOfGradient = 128_000_000

    /// - Returns: what rank 0 prints.
    private func measure(
        _ benchmark: AllReduceBenchmark,
        _ gradient: AllReduceReport.Gradient,
        _ job: RankJob
    ) throws -> String? {
        let communicator = job.connection.communicator
        guard communicator.worldSize > 1 else {
            throw UserError(
                .usage,
                "bench-comm measures several ranks and its launcher started one: mpirun -np 2 ddp-train bench-comm"
            )
        }
        let isChosen = connection.isGiven(\.allReduce)
        let routes = isChosen ? Array(job.connection.routes.prefix(1)) : job.connection.routes
        // Before the ranks are busy with each other; on one machine the first alone would have all the memory's speed.
        let copy = CopyBandwidth.measure(pool: WorkerPool(threadCount: 1))
        let results = try benchmark.run(routes.map(\.communicator)) { job.output.progress("summing \($0) bytes") }
        guard job.isMain else { return nil }
        job.output.clearProgress()
        let report = AllReduceReport(
            ranks: communicator.worldSize,
            machines: Set(communicator.members.map(\.host)).count,
            route: job.connection.route ?? "",
            copyBandwidth: copy,
            gradient: gradient,
            ways: zip(routes, results).map {
                AllReduceReport.Way(transport: $0.transport, allReduce: $0.allReduce, results: $1)
            }
        )
        return json ? report.json.text() + "\n" : report.text
    }

    // MARK: Alone

    /// Becomes the launcher of ranks on this machine.
    ///
    /// - Returns: only when that cannot be started.
    private func start(_ rankCount: Int, backend: Backend) throws -> UserError {
        var own = ["bench-comm", "--sizes=\(sizes)", "--repeats=\(repeats.text)"] + (json ? ["--json"] : [])
        own += (connection.given + shape.given).map { "--\($0.name)=\($0.value)" }
        own += (vocabularySize.map { ["--vocab_size=\($0.text)"] } ?? []) + files.paths
        let program = try OwnExecutable.path()
        let mpirun = MPILibrary.isBuiltIn && backend != .tcp ? Surroundings.program("mpirun") : nil
        let command: [String]
        if let mpirun {
            // More ranks than cores are to be started too, and none is to be bound: its helpers need a core as well.
            command = [mpirun, "-np", "\(rankCount)", "--oversubscribe", "--bind-to", "none", program] + own
            if getuid() == 0 {
                // Nothing is written, and containers have no other user.
                setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1)
                setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1)
            }
        } else if backend == .mpi {
            throw UserError(
                .usage,
                MPILibrary.isBuiltIn
                    ? "--backend=mpi, and there is no mpirun on the PATH"
                    : "--backend=mpi, and this build has no MPI: \(MPILibrary.installation)"
            )
        } else {
            command = [program, "launch", "-n", "\(rankCount)"] + own
        }
        let arguments = command.map { strdup($0) } + [nil]
        execv(command[0], arguments)
        return UserError(.other, "cannot start \(command[0]): \(errorText(errno))")
    }
}

/// What decides the size of a run's gradient and of its buckets.
enum GradientSelection: RegistrySelection {
    static let options: [RegistryOption] = [
        .init(\.preset, default: "gpt2, or as the files say"),
        .init(\.layerCount, default: "the preset's"),
        .init(\.headCount, default: "the preset's"),
        .init(\.embeddingSize, default: "the preset's"),
        .init(\.blockSize, default: "the preset's"),
        .init(\.bucketMegabytes),
    ]
}
