import Formats
import Foundation
import TestSupport
import Testing

@Suite("report")
struct ReportCommandTests {
    let run: TrainedRun

    init() throws { run = try TrainedRun.shared.get() }

    private func report(_ arguments: String...) throws -> Program.Result {
        try run.program.start(["report"] + arguments).wait()
    }

    /// A folder with the run's metrics, changed.
    private func copy(_ name: String, _ change: (String) -> String) throws -> String {
        try FileManager.default.createDirectory(atPath: run.folder(name), withIntermediateDirectories: true)
        let metrics = try String(contentsOfFile: run.folder("out/metrics.jsonl"), encoding: .utf8)
        try change(metrics).write(toFile: run.folder("\(name)/metrics.jsonl"), atomically: true, encoding: .utf8)
        try FileManager.default.copyItem(
            atPath: run.folder("out/config.toml"),
            toPath: run.folder("\(name)/config.toml")
        )
        return name
    }

    @Test("A run leaves its page, which says that it has finished and is not loaded again")
    func written() throws {
        let page = try String(contentsOfFile: run.folder("out/report.html"), encoding: .utf8)
        #expect(page.contains("\"status\":\"finished\"") && !page.contains("<meta name=\"reload\""))
        #expect(page.contains("\"iteration\":20,\"max_iters\":20"))
        #expect(page.contains("{\"name\":\"step-00000020\",\"iteration\":20,"))
        // Whole without anything beside it.
        #expect(!page.contains(/(src|href)="(?!data:)/))
    }

    @Test("report makes the page of a run again, and prints its data on request")
    func one() throws {
        let out = try copy("report-one") { $0 }
        let plain = try report(out)
        #expect(plain.exitCode == 0 && plain.output == "report: report-one/report.html\n" && plain.errors.isEmpty)
        let result = try report(out, "--json", "--out", "one.html")
        let data = try JSONValue(parsing: Array(result.output.utf8))
        let run = try #require(data["runs"]?.arrayValue?.first)
        #expect(run["status"] == .string("finished") && run["max_iters"] == .integer(20))
        let page = try String(contentsOfFile: self.run.folder("one.html"), encoding: .utf8)
        #expect(page.contains("\"series\":{\"loss\":{\"count\":2,"))
    }

    @Test("report lays runs over each other, passes over half a line, and says so")
    func several() throws {
        let half = try copy("report-half") { String($0.dropLast(10)) }
        let result = try report("out", half, "--out=both.html")
        #expect(result.exitCode == 0 && result.output == "report: both.html\n", "\(result)")
        #expect(result.errors == "report-half/metrics.jsonl: line 8 is damaged and skipped\n")
    }

    @Test("What is no run is refused in one line, and what is not ours is not replaced")
    func refused() throws {
        let empty = try copy("report-empty") { _ in "" }
        let cases: [([String], Int32, String)] = [
            (["nowhere"], 74, "nowhere does not exist; give the --out_dir of a run"),
            (["data"], 74, "data is not a run's folder: it has no metrics.jsonl"),
            ([empty], 65, "report-empty/metrics.jsonl is empty: there is nothing to report"),
            (
                ["out", "--out=text.txt"], 64,
                "text.txt was not made by ddp-train: choose another --out, or replace it with --overwrite"
            ),
            (["out", "--out=data"], 64, "data is not a regular file: choose another --out"),
        ]
        for (arguments, code, message) in cases {
            let result = try run.program.expectError(["report"] + arguments, code: code, #_sourceLocation)
            #expect(result.errors == "ddp-train: error: \(message)\n")
        }
        #expect(try report().exitCode == 64)
        #expect(try report("out", "--out=no/where.html").exitCode == 74)
    }
}
