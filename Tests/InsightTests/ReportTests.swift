import Configuration
import Foundation
import Platform
import TestSupport
import Testing

@testable import Formats
@testable import Insight
@testable import Training

@Suite("Reports")
struct ReportTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private static func step(_ iteration: Int, loss: Double = 2, seconds: Double = 0.5) -> String {
        """
        {"event":"step","iteration":\(iteration),"loss":\(loss),"learning_rate":0.001,"gradient_norm":1.5,\
        "tokens":\((iteration + 1) * 64),"seconds":\(seconds),"waiting_seconds":0.125,"communication_seconds":0.25,\
        "tokens_per_second":128.0,"mfu":0.5}

        """
    }

    private static func evaluation(_ iteration: Int, _ validation: Double) -> String {
        """
        {"event":"evaluation","iteration":\(iteration),"train_loss":\(validation - 0.25),"val_loss":\(validation),\
        "val_optimum":1.25,"best":true,"seconds":2.0}

        """
    }

    /// Creates a run's folder with the given metrics.
    @discardableResult
    private func run(_ name: String, _ metrics: String, options: [String: String] = [:]) throws -> String {
        let path = folder(name)
        try FileSystem.createFolder(path + "/samples")
        try AtomicFile.write(metrics, to: path + "/metrics.jsonl")
        var configuration = ResolvedConfiguration()
        configuration = try ConfigurationSources(
            options: [("max_iters", "20"), ("eval_interval", "10")] + options.map { ($0.key, $0.value) }
        ).resolve()
        try AtomicFile.write(configuration.toml, to: path + "/config.toml")
        return path
    }

    private func data(ofPage path: String) throws -> JSONValue {
        let text = String(decoding: try FileSystem.read(path), as: UTF8.self)
        let start = try #require(text.range(of: "<script id=\"data\" type=\"application/json\">"))
        let end = try #require(text.range(of: "</script>", range: start.upperBound..<text.endIndex))
        return try JSONValue(parsing: Array(text[start.upperBound..<end.lowerBound].utf8))
    }

    private func points(_ run: JSONValue?, _ name: String) -> [[Double]] {
        (run?["series"]?[name]?["points"]?.arrayValue ?? []).map { ($0.arrayValue ?? []).compactMap(\.numberValue) }
    }

    @Test("The page's data comes from metrics.jsonl, the configuration and the samples")
    func page() throws {
        let metrics =
            Self.evaluation(0, 4) + Self.step(0, loss: 4.5) + Self.step(5, loss: 3.25) + Self.evaluation(10, 2.5)
            + "{\"event\":\"checkpoint\",\"iteration\":10,\"best\":true,\"seconds\":0.5,\"stood_still_seconds\":0.25}\n"
        let path = try run("a", metrics)
        try AtomicFile.write("O Romeo", to: path + "/samples/step-00000010.txt")
        // A stale sample from before a resume.
        try AtomicFile.write("stale", to: path + "/samples/step-00000020.txt")
        let result = try ReportPage.write([path], to: nil, overwrite: false)
        #expect(result.path == path + "/report.html" && result.notices.isEmpty)
        let data = try data(ofPage: result.path)
        #expect(data == result.data)
        let run = try #require(data["runs"]?.arrayValue?.first)
        #expect(points(run, "loss") == [[0, 4.5], [5, 3.25]])
        #expect(points(run, "val_loss") == [[0, 4], [10, 2.5]])
        #expect(points(run, "train_loss") == [[0, 3.75], [10, 2.25]])
        #expect(points(run, "val_optimum") == [[0, 1.25], [10, 1.25]])
        #expect(points(run, "mfu") == [[0, 0.5], [5, 0.5]] && points(run, "val_bits_per_byte").isEmpty)
        #expect(run["best"]?["iteration"] == .integer(10))
        #expect(
            run["tokens"] == .integer(10 * 64),
            "tokens up to the last evaluation, although not every update has a line"
        )
        // The first line covers one update, the second five.
        #expect(run["time"]?["updates"] == .number(3) && run["time"]?["waiting"] == .number(0.75))
        #expect(run["time"]?["evaluations"] == .number(4) && run["time"]?["saving"] == .number(0.25))
        #expect(run["samples"]?.arrayValue?.map { $0["text"]! } == [.string("O Romeo")])
        #expect(run["status"] == .string("lost") && run["iteration"] == .integer(10))
        let entry = run["configuration"]?.arrayValue?.first { $0["name"] == .string("max_iters") }
        #expect(entry?["value"] == .string("20") && entry?["origin"] == .string("command line"))
        #expect(entry?["group"] == .string("Optimization"))
    }

    @Test(
        "The state is that of the end event, unless the run was resumed after it",
        arguments: [
            ("{\"event\":\"end\",\"iteration\":3,\"outcome\":\"stopped\"}\n", "stopped"),
            ("{\"event\":\"end\",\"iteration\":3,\"outcome\":\"failed\",\"error\":\"no\"}\n", "failed"),
            ("{\"event\":\"end\",\"iteration\":3,\"outcome\":\"stopped\"}\n" + step(3), "lost"), ("", "lost"),
            (evaluation(20, 2), "finished"),
        ]
    )
    func status(ending: String, status: String) throws {
        let path = try run("a", Self.step(0) + ending)
        let result = try ReportPage.write([path], to: nil, overwrite: false)
        #expect(result.data["runs"]?.arrayValue?[0]["status"] == .string(status))
    }

    @Test("Events and members of later versions are ignored without a notice")
    func laterVersion() throws {
        let path = try run("a", Self.step(0) + "{\"event\":\"moon\",\"phase\":3}\n" + Self.step(1))
        let result = try ReportPage.write([path], to: nil, overwrite: false)
        #expect(result.notices == [])
        #expect(points(result.data["runs"]?.arrayValue?[0], "loss").count == 2)
    }

    @Test("A truncated last line and other damaged lines are skipped with a notice")
    func damage() throws {
        let path = try run(
            "a",
            Self.step(0) + "{\"event\":\"step\",\"iteration\":1,\"loss\":NaN}\nnonsense\n{\"event\":\"st"
        )
        let result = try ReportPage.write([path], to: nil, overwrite: false)
        #expect(
            result.notices == ["\(path)/metrics.jsonl: 3 lines (the first is line 2) are damaged and skipped"]
        )
        #expect(points(result.data["runs"]?.arrayValue?[0], "loss") == [[0, 2]])
    }

    @Test("Absurd numbers are skipped and do not overflow")
    func absurdNumbers() throws {
        let step = #"{"event":"step","iteration":3,"loss":2,"tokens":9223372036854775807,"seconds":1e300}"#
        let far = #"{"event":"step","iteration":9223372036854775807,"loss":2}"#
        let end = #"{"event":"end","iteration":2000000000,"outcome":"finished"}"#
        let path = try run("a", Self.step(0) + [step, far, end].joined(separator: "\n") + "\n")
        let result = try ReportPage.write([path], to: nil, overwrite: false)
        #expect(result.notices == ["\(path)/metrics.jsonl: line 3 is damaged and skipped"])
        #expect(points(result.data["runs"]?.arrayValue?[0], "loss").count == 2)
    }

    @Test("Text that contains </script> does not end the script that contains it")
    func escaping() throws {
        let path = try run("a", Self.evaluation(0, 4))
        let sample = "</script><script>alert(1)</script><!-- \u{2028} \u{0} \"\\ 😀"
        try AtomicFile.write(sample, to: path + "/samples/step-00000000.txt")
        let page = try ReportPage.write([path], to: nil, overwrite: false).path
        let text = String(decoding: try FileSystem.read(page), as: UTF8.self)
        #expect(!text.contains("alert(1)</script>"))
        #expect(text.components(separatedBy: "</script>").count == 3)
        #expect(try data(ofPage: page)["runs"]?.arrayValue?[0]["samples"]?.arrayValue?[0]["text"] == .string(sample))
    }

    @Test("A page of several runs has their series and the options that differ")
    func several() throws {
        let first = try run("a", Self.step(0) + Self.evaluation(10, 2.5), options: ["learning_rate": "0.01"])
        let second = try run("b", Self.step(0, loss: 3) + Self.evaluation(10, 2.25), options: ["n_layer": "7"])
        let result = try ReportPage.write([first, second], to: folder("ab.html"), overwrite: false)
        let data = try data(ofPage: folder("ab.html"))
        #expect(data["runs"]?.arrayValue?.map { points($0, "val_loss") } == [[[10, 2.5]], [[10, 2.25]]])
        let differences = try #require(result.data["differences"]?.arrayValue)
        #expect(differences.compactMap { $0["name"]?.stringValue } == ["n_layer", "learning_rate"])
        #expect(differences[1]["values"]?.arrayValue?[0] == .string("0.01"))
        // The folders of the runs are unchanged.
        #expect(FileSystem.kind(of: first + "/report.html") == nil)
    }

    @Test("A file that is not a page of ddp-train is replaced only with overwrite")
    func overwriting() throws {
        let path = try run("a", Self.step(0))
        try AtomicFile.write("<!doctype html>mine", to: folder("mine.html"))
        let error = #expect(throws: UserError.self) {
            try ReportPage.write([path], to: folder("mine.html"), overwrite: false)
        }
        #expect(error?.kind == .usage)
        #expect(try FileSystem.read(folder("mine.html")) == Array("<!doctype html>mine".utf8))
        for _ in 0..<2 { _ = try ReportPage.write([path], to: folder("ours.html"), overwrite: false) }
        _ = try ReportPage.write([path], to: folder("mine.html"), overwrite: true)
        #expect(RunFiles.isPage(folder("mine.html")))
        #expect(throws: UserError.self) { try ReportPage.write([path], to: folder.path, overwrite: true) }
    }

    @Test("A path without a run, or a run without logged data, is refused with its name")
    func refused() throws {
        try FileSystem.createFolder(folder("empty"))
        try AtomicFile.write("", to: folder("file"))
        let cases: [(String, UserError.Kind, String)] = [
            (folder("nowhere"), .inputOutput, "does not exist"), (folder("file"), .inputOutput, "is not a folder"),
            (folder("empty"), .inputOutput, "is not a run's folder"),
            (try run("a", ""), .data, "metrics.jsonl is empty"),
            (try run("b", "{\n"), .data, "has no valid line"),
        ]
        for (path, kind, message) in cases {
            let error = #expect(throws: UserError.self) { try ReportPage.write([path], to: nil, overwrite: false) }
            #expect(
                error?.kind == kind && error?.message.contains(message) == true,
                "\(path): \(String(describing: error))"
            )
        }
    }

    @Test("Reading a growing file in parts gives the same history as reading it at once")
    func growing() throws {
        let path = folder("metrics.jsonl")
        let text = Array((0..<3000).map { Self.step($0, loss: Double($0 * 37 % 101)) }.joined().utf8)
        var history = RunHistory(limit: 100)
        for end in stride(from: 1000, to: text.count + 1000, by: 70_001) {
            try AtomicFile.write(Array(text[..<min(end, text.count)]), to: path)
            try history.read(path, isGrowing: true)
        }
        try AtomicFile.write(text, to: path)
        try history.read(path, isGrowing: true)
        var whole = RunHistory(limit: 100)
        try whole.read(path, isGrowing: false)
        #expect(history.series == whole.series && history.time == whole.time)
        #expect(history.lineCount == 3000 && history.damagedCount == 0 && history.iteration == 3000)
        #expect(history.series[.loss]!.points.count <= 100)
    }

    @Test("The samples are limited, evenly spaced and include the first and the last; a long one is cut")
    func samples() throws {
        let path = try run("a", (0..<200).map { Self.evaluation($0 * 10, 3) }.joined())
        for index in 0..<200 {
            let name = CheckpointName.name(iteration: index * 10)
            try AtomicFile.write(
                index == 199 ? String(repeating: "a", count: 10_000) : "\(index)",
                to: "\(path)/samples/\(name).txt"
            )
        }
        let record = try RunRecord.open(path)
        #expect(record.samples.count == RunRecord.sampleLimit)
        #expect(record.samples.first?.text == "0" && record.samples.last?.iteration == 1990)
        #expect(record.samples.last?.text.count == RunRecord.sampleBytes + 1)
    }
}
