import ArgumentParser
import Formats
import Insight

/// `ddp-train report`: a run as a page, or several beside each other.
struct Report: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make the page of a run, or one on which several are laid over each other.",
        discussion: """
              ddp-train report out                       # out/report.html
              ddp-train report out-a out-b --out ab.html

            The page is one file that fetches nothing: losses, learning rate, speed, samples, configuration with the origin of \
            each value. It is made of what lies in the run's folder, whether the run goes on, has ended or was killed.
            """
    )

    @Argument(help: ArgumentHelp("Folders of runs: their --out_dir.", valueName: "run"), completion: .directory)
    var runs: [String]

    @Option(
        help: ArgumentHelp(
            "File to write; report.html in the run's folder unless given, for several runs in the current one.",
            valueName: "file"
        ),
        completion: .file()
    )
    var out: String?

    @Flag(help: "Replace the file even if it is no page of this program.")
    var overwrite = false

    @Flag(help: "Print the page's data as one JSON object too.")
    var json = false

    func run() throws {
        let result = try ReportPage.write(runs, to: out, overwrite: overwrite)
        for notice in result.notices { Console.note(notice) }
        try Console.output(json ? result.data.text() + "\n" : "report: \(result.path)\n")
    }
}
