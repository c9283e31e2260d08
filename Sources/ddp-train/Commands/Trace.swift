import ArgumentParser
import Formats
import Performance

/// `ddp-train trace`: the profiles of all ranks on one clock, and who keeps the others waiting.
struct Trace: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Join the ranks' profiles into one trace, and name the rank that the others wait for.",
        discussion: """
              ddp-train launch -n 4 --dataset=mine --profile=out/trace.json
              ddp-train trace out                      # writes out/trace.all.json

            Each rank writes its profile where it runs; those of other machines are copied beside rank 0's first. Clocks are \
            laid over each other by barriers before and after the recorded steps. The joined trace opens in Perfetto \
            (https://ui.perfetto.dev) and in chrome://tracing, a process for each rank.

            A straggler's cause is compute (it computes longer), waiting (it has no processor, or begins its steps late), or, \
            where nobody is late and sums take long, network.
            """
    )

    @Argument(
        help: ArgumentHelp("A run's folder, or the file that --profile named.", valueName: "run"),
        completion: .file()
    )
    var place = "out"

    @Option(
        help: ArgumentHelp("File to write. (default: the profile's name with .all.json)", valueName: "file"),
        completion: .file()
    )
    var out: String?

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let trace = try JobTrace(place: place)
        let path = out ?? trace.defaultPath
        try trace.write(to: path)
        let report = trace.report
        let lines = report.lines + ["trace: \(path)"]
        try Console.output((json ? report.json.text() : lines.joined(separator: "\n")) + "\n")
    }
}
