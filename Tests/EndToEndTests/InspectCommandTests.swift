import Formats
import Foundation
import TestSupport
import Testing

@Suite("inspect")
struct InspectCommandTests {
    private let run: TrainedRun

    init() throws { run = try TrainedRun.shared.get() }

    private func inspect(_ arguments: String..., input: String = "") throws -> Program.Result {
        try run.program.start(["inspect"] + arguments, input: input).wait()
    }

    private func page(_ name: String) throws -> String { try String(contentsOfFile: run.folder(name), encoding: .utf8) }

    @Test("A page and its JSON: every checkpoint of the run, on the beginning of its validation split")
    func wholeRun() throws {
        let options = ["--dataset=mine", "--out_dir=for-inspect", "--keep_checkpoints=5"] + TrainedRun.tiny
        let training = try run.program.start(options).wait()
        #expect(training.exitCode == 0, "\(training)")
        let result = try inspect("--out_dir=for-inspect", "--which=latest")
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.errors.isEmpty, "\(result)")
        #expect(result.outputLines.last == "for-inspect/inspect.html, and its numbers in for-inspect/inspect.json")
        let json = try JSONValue(parsing: Array(page("for-inspect/inspect.json").utf8))
        #expect(json["tokens"]?.arrayValue?.count == 16, "block_size is less than what is usual")
        #expect(json["text"] == .string("the beginning of mine's validation split"))
        let checkpoints = try #require(json["checkpoints"]?.arrayValue)
        #expect(checkpoints.compactMap { $0["iteration"]?.integerValue } == [10, 20])
        #expect(json["shown"] == .integer(1))
        for checkpoint in checkpoints {
            #expect(checkpoint["gradient"]?["learning_rate"]?.numberValue != nil)
            let ratios = checkpoint["gradient"]?["tensors"]?.arrayValue?.compactMap { $0["update_ratio"]?.numberValue }
            #expect(ratios?.isEmpty == false && ratios?.allSatisfy { $0 > 0 && $0 < 1 } == true)
            #expect(checkpoint["sample"]?.stringValue?.isEmpty == false)
        }
        let html = try page("for-inspect/inspect.html")
        #expect(html.hasPrefix("<!doctype html>"))
        // Nothing is fetched: what looks like an address is SVG's name.
        let addresses = html.matches(of: #/https?:\/\/[^"'\s]*/#).map { String($0.output) }
        #expect(Set(addresses).isSubset(of: ["http://www.w3.org/2000/svg"]))
    }

    @Test("--json prints the same object on one line and nothing else; the text comes by option, file or stream")
    func json() throws {
        let text = "The quick fox."
        let option = try inspect("--text", text, "--json", "--tokens=8", "--out=option.html")
        #expect(option.exitCode == 0 && option.errors.isEmpty, "\(option)")
        #expect(option.output.count(where: { $0 == "\n" }) == 1 && option.output.hasSuffix("\n"))
        #expect(try page("option.json") == option.output)
        let json = try JSONValue(parsing: Array(option.output.utf8))
        #expect(json["tokens"]?.arrayValue?.count == 8)
        let texts = try #require(json["texts"])
        let ids = json["tokens"]?.arrayValue?.compactMap(\.integerValue) ?? []
        #expect(ids.compactMap { texts[String($0)]?.stringValue }.joined() == "The·quic")

        try Data(text.utf8).write(to: URL(fileURLWithPath: run.folder("fox.txt")))
        let file = try inspect("--input=fox.txt", "--json", "--tokens=8", "--out=file.html")
        let stream = try inspect("--input=-", "--json", "--tokens=8", "--out=stream.html", input: text)
        func checkpoints(_ result: Program.Result) throws -> JSONValue? {
            try JSONValue(parsing: Array(result.output.utf8))["checkpoints"]
        }
        #expect(try checkpoints(file) == json["checkpoints"])
        #expect(try checkpoints(stream) == json["checkpoints"])
    }

    @Test("A model without a run has no moments and no data: a text shows it, and its update is left out")
    func exported() throws {
        let export = try run.program.run("export", "--out=exported-for-inspect")
        #expect(export.exitCode == 0, "\(export)")
        let result = try inspect("--init_from=exported-for-inspect", "--text=The dog", "--json", "--out=exported.html")
        #expect(result.exitCode == 0, "\(result)")
        let json = try JSONValue(parsing: Array(result.output.utf8))
        let checkpoint = try #require(json["checkpoints"]?.arrayValue?.first)
        #expect(checkpoint["gradient"]?["learning_rate"] == JSONValue.null)
        #expect(checkpoint["iteration"] == JSONValue.null)
        let none = try inspect("--init_from=exported-for-inspect")
        #expect(none.exitCode == 64)
        #expect(
            none.errors == "ddp-train: error: exported-for-inspect comes without a data set: "
                + "give a text by --text or --input\n"
        )
    }

    @Test("A checkpoint that is damaged is left out with a note, unless it is the one that is asked for")
    func damaged() throws {
        try FileManager.default.copyItem(atPath: run.folder("out"), toPath: run.folder("damaged-for-inspect"))
        let name = "damaged-for-inspect/checkpoints/step-00000020"
        let again = "damaged-for-inspect/checkpoints/step-00000010"
        try FileManager.default.copyItem(atPath: run.folder(name), toPath: run.folder(again))
        let path = run.folder("\(again)/model.safetensors")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
        let result = try inspect("--out_dir=damaged-for-inspect", "--which=latest")
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.errorLines.count == 1, "\(result)")
        #expect(result.errors.contains("left out: \(again)/model.safetensors"), "\(result)")
        let asked = try inspect("--init_from=\(again)", "--text=The dog")
        #expect(asked.exitCode == 65, "\(asked)")
    }

    @Test(
        "What a user gets wrong is one line and its code",
        arguments: [
            (["--text="], 65, "the text given by --text is empty"),
            (["--text=T"], 65, "the text given by --text is a single token"),
            (["--input=-"], 65, "the text of standard input is empty"),
            (["--text=The fox ß"], 65, "the text given by --text: the character ß (U+00DF) at byte 8"),
            (["--input=no-such.txt"], 74, "cannot open no-such.txt"),
            (["--tokens=17"], 64, "tokens=17: the model sees at most block_size=16"),
            (["--tokens=0"], 64, "tokens=0: must be a whole number of at least 1"),
            (["--seed=-1"], 64, "seed=-1: must be a whole number of at least 0"),
            (["--text=a", "--input=b"], 64, "--text and --input both name a text"),
            (["--out_dir=no-such-run"], 74, "there is no checkpoint in no-such-run/checkpoints"),
            (["--init_from=no-such-model", "--text=The dog"], 64, "init_from=no-such-model: there is no such file"),
            (["--out=no-such-folder/page.html"], 74, "cannot write no-such-folder/page.html"),
        ] as [([String], Int32, String)]
    )
    func badInput(arguments: [String], code: Int32, line: String) throws {
        let result = try run.program.expectError(["inspect"] + arguments, code: code, #_sourceLocation)
        #expect(result.errors.hasPrefix("ddp-train: error: \(line)"), "\(result)")
        #expect(result.output.isEmpty, "\(result)")
    }
}
