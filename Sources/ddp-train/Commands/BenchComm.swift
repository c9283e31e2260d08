import ArgumentParser
import Collectives
import Compute
import Formats
import Performance
import Training

/// `ddp-train bench-comm`: how fast the ranks of a job sum gradients.
struct BenchComm: RankedCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-comm",
        abstract: "Measure the all-reduce of the ranks of a job.",
        discussion: """
            Start it as the ranks of a job, as training would be:

              ddp-train launch -n 2 bench-comm
              mpirun -np 4 ddp-train bench-comm
              mpirun -np 4 ddp-train bench-comm --allreduce=native

            Every rank sums as many bytes at once, the slowest rank counts. Bus bandwidth is what each rank sends and receives, \
            bytes * 2 (n - 1) / n / time, which a ring cannot lift above the speed of the slower of network and memory.
            """
    )

    @Option(help: ArgumentHelp("Megabytes to sum, with commas between.", valueName: "list"))
    var sizes = "0.004,0.1,1,8,42,128"

    @Option(help: ArgumentHelp("How often each size is measured.", valueName: "n"))
    var repeats: NumberText = 10

    @OptionGroup(title: ConfigurationKey.Group.machine.rawValue) var machine: MachineOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let benchmark = AllReduceBenchmark(
            sizes: try sizes.split(separator: ",").map { text in
                let megabytes = try NumberText(argument: String(text)).number(
                    "sizes",
                    "megabytes from 0.000004 to 4000, with commas between",
                    { $0 >= 4e-6 && $0 <= 4000 }
                )
                return max(1, Int(megabytes * 250_000)) * 4
            },
            repetitions: try repeats.whole("repeats", atLeast: 1, atMost: 10_000)
        )
        guard !benchmark.sizes.isEmpty else { throw UserError(.usage, "sizes=\(sizes): name at least one, such as 8") }
        let values = try ConfigurationSources(options: machine.givenOptions).resolve().values
        let job = try RankJob.join(values)
        try job.run { try measure(benchmark, job, values) }
    }

    private func measure(_ benchmark: AllReduceBenchmark, _ job: RankJob, _ values: TrainingConfiguration) throws {
        let communicator = job.connection.communicator
        guard communicator.worldSize > 1 else {
            throw UserError(
                .usage,
                "bench-comm measures several ranks and this is one: ddp-train launch -n 2 bench-comm, or mpirun -np 2 ddp-train bench-comm"
            )
        }
        // Before the ranks are busy with each other; on one machine the first alone would have all the memory's speed.
        let copy = CopyBandwidth.measure(pool: WorkerPool(threadCount: 1))
        let results = try benchmark.run(communicator) { job.output.progress("summing \($0) bytes") }
        guard job.isMain else { return }
        job.output.clearProgress()
        let report = AllReduceReport(
            transport: job.connection.route ?? "",
            allReduce: values.allReduce.rawValue,
            ranks: communicator.worldSize,
            machines: Set(communicator.members.map(\.host)).count,
            copyBandwidth: copy,
            results: results
        )
        try Console.output(json ? report.json.text() + "\n" : report.text)
    }
}
