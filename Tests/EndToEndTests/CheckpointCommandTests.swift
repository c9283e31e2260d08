import Formats
import Foundation
import TestSupport
import Testing

@Suite("checkpoint")
struct CheckpointCommandTests {
    let run: TrainedRun

    init() throws { run = try TrainedRun.shared.get() }

    private func checkpoint(_ arguments: String...) throws -> Program.Result {
        try run.program.start(["checkpoint"] + arguments).wait()
    }

    /// A copy of the run, whose newest checkpoint is damaged in one byte.
    private func damagedCopy(_ name: String) throws -> String {
        try FileManager.default.copyItem(atPath: run.folder("out"), toPath: run.folder(name))
        let path = run.folder("\(name)/checkpoints/step-00000020/optimizer.safetensors")
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[bytes.count - 1] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
        return name
    }

    @Test("list has a line for each checkpoint, and names the best and the latest")
    func list() throws {
        let result = try checkpoint("list")
        #expect(result.exitCode == 0, "\(result)")
        let lines = result.outputLines
        #expect(lines[0].hasPrefix("iteration  val loss"))
        #expect(lines.last?.hasSuffix("latest") == true)
        #expect(lines.dropFirst().contains { $0.contains("best") })
        let json = try JSONValue(parsing: Array(try checkpoint("list", "out", "--json").output.utf8))
        let entries = try #require(json["checkpoints"]?.arrayValue)
        #expect(entries.last?["iteration"] == .integer(20))
        #expect(entries.count == lines.count - 1)
        #expect(entries.allSatisfy { $0["problem"] == JSONValue.null && ($0["bytes"]?.integerValue ?? 0) > 10_000 })
    }

    @Test("verify passes what is whole, and names what is damaged with code 65")
    func verify() throws {
        let whole = try checkpoint("verify", "out")
        #expect(whole.exitCode == 0, "\(whole)")
        #expect(whole.outputLines.last == "out/checkpoints/step-00000020: whole, iteration 20")
        let copy = try damagedCopy("damaged-for-verify")
        let path = "\(copy)/checkpoints/step-00000020"
        let one = try checkpoint("verify", path)
        #expect(one.exitCode == 65)
        #expect(
            one.errors == "ddp-train: error: \(path)/optimizer.safetensors is damaged: "
                + "its hash is not the one that was written with it\n"
        )
        #expect(try checkpoint("verify", copy).exitCode == 65)
        let nothing = try checkpoint("verify", "nowhere")
        #expect(nothing.exitCode == 74)
        #expect(
            nothing.errors
                == "ddp-train: error: nowhere is neither a run's folder with checkpoints nor a checkpoint\n"
        )
    }

    @Test("show says what a checkpoint is")
    func show() throws {
        let result = try checkpoint("show", "out", "--which=latest")
        #expect(result.exitCode == 0, "\(result)")
        #expect(result.output.contains(/(?m)^iteration +20$/))
        #expect(result.output.contains(/(?m)^n_layer +2$/))
        #expect(result.output.contains(/(?m)^learning_rate +/))
        let json = try JSONValue(parsing: Array(try checkpoint("show", "--which=latest", "--json").output.utf8))
        #expect(json["model"]?["n_embd"] == .integer(16))
    }

    @Test("diff ends with 0 for the same bits, with 1 and what differs otherwise")
    func diff() throws {
        let latest = "out/checkpoints/latest"
        let same = try checkpoint("diff", "out", latest, "--which=latest")
        #expect(same.exitCode == 0, "\(same)")
        #expect(same.output.hasPrefix("the same to the bit: "))
        let copy = try damagedCopy("damaged-for-diff")
        let result = try checkpoint("diff", latest, "\(copy)/checkpoints/step-00000020")
        #expect(result.exitCode == 1)
        #expect(result.outputLines.count == 2 && result.outputLines[0].hasPrefix("tensors: 1 of "), "\(result)")
        #expect(result.outputLines[1].contains("exp_avg_sq.transformer.ln_f.weight"))
        #expect(result.outputLines[1].contains(", 1 elements of [16]"))
        let json = try checkpoint("diff", latest, copy + "/checkpoints/step-00000020", "--json")
        #expect(try JSONValue(parsing: Array(json.output.utf8))["same"] == .bool(false))
    }

    @Test("Runs killed while they save leave checkpoints that verify")
    func kills() throws {
        let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../scripts/check/kill_saves.sh").standardized
        let program = try Program.path()
        let result = try run.program.shell(
            "bash '\(script.path)' --kills 8 --no-disk --program '\(program)' 2>&1"
        )
        #expect(result.exitCode == 0, "\(result)")
    }
}
