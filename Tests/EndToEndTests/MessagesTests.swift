import Foundation
import TestSupport
import Testing

/// What the program says in the usual way of things, and of what users get wrong, held against `Snapshots/messages`.
@Suite("Messages")
struct MessagesTests {
    private let run: TrainedRun
    private let folder: TemporaryFolder
    private let program: Program

    init() throws {
        run = try TrainedRun.shared.get()
        folder = try TemporaryFolder()
        program = Program(in: folder)
    }

    /// Without what differs between machines, and from one time to the next.
    private static func masked(_ text: String) -> String {
        var text = text
        for (pattern, word) in [
            (#"(?m)^this run: .*\n"#, ""), (#"(?m)^sample: .*$"#, "sample: TEXT"),
            (#"\d+ h \d+ min|\d+ min \d+ s|\d+ (h|min|s)\b|[\d.]+ ?ms|[\d.]+ s\b"#, "TIME"),
            (#"\d+-\d+-\d+ \d+:\d+:\d+"#, "DATE"), (#"[0-9a-f]{16}"#, "HASH"), (#"\d[\d.]* [kMGT]?B\b"#, "SIZE"),
            (#"\b(avx512|avx2|sse2|neon|plain)\b"#, "KERNELS"), (#"\d+(,\d{3})*(\.\d+)?(e-?\d+)?"#, "#"), (" +", " "),
        ] {
            text = text.replacingOccurrences(of: pattern, with: word, options: .regularExpression)
        }
        return text
    }

    @Test("The lines of a run, and of what is done with it")
    func usual() throws {
        var text = "$ ddp-train prepare …\n" + Self.masked(run.preparation.output)
        text += "\n$ ddp-train train …\n" + Self.masked(run.training.output)
        for arguments in [["eval"], ["checkpoint", "list"], ["checkpoint", "verify"], ["plan", "--dataset=mine"]] {
            let result = try run.program.start(arguments).wait()
            #expect(result.exitCode == 0, "\(result)")
            text += "\n$ ddp-train \(arguments.joined(separator: " "))\n" + Self.masked(result.output)
        }
        try Snapshot.expect(text, in: "messages/run.txt")
    }

    @Test("What doctor speaks of")
    func doctor() throws {
        // What it finds is the machine's.
        let lines = try program.run("doctor").outputLines.prefix { !$0.isEmpty }.map { line in
            line.firstMatch(of: /^(\S+ ?)+/).map { String($0.0) } ?? line
        }
        let subjects = lines.filter { !$0.contains(":") }.map { $0.trimmingCharacters(in: .whitespaces) }
        try Snapshot.expect(subjects.joined(separator: "\n") + "\n", in: "messages/doctor.txt")
    }

    @Test("What users get wrong is one line, with the value and the mend")
    func errors() throws {
        try Data("text\n".utf8).write(to: URL(fileURLWithPath: folder("here")))
        var text = ""
        for line in [
            "--dataset=nope", "--dataset=shakespear_char", "--n_head=5 --n_embd=16", "--device=mps", "--device=cuda",
            "--dtype=bfloat16", "--backend=nccl", "--max_iters=ten", "--bckend=tcp", "--nproc_per_node=2",
            "--preset=char config", "--preset=huge", "--init_from=resume --out_dir=none",
            "--init_from=gpt3 --dataset=demo",
            "none.toml", "config none.toml", "sample", "sample --which=newest", "sample --top_k=-1", "eval --split=all",
            "export", "export --out=here", "checkpoint list none", "report", "report none", "inspect --out_dir=none",
            "trace none", "experiment masks", "selftest --n_layer=0", "prepare", "prepare shakespear",
            "prepare demo --input here",
            "prepare --input none --name x", "prepare --input here", "tokenizer trian",
            "tokenizer info --tokenizer=none",
            "launch", "launch -n 0", "launch -n 2 sample", "bench --steps=0", "plan --ranks=13 --dataset=none",
        ] {
            let result = try program.start(line.split(separator: " ").map(String.init)).wait()
            #expect(result.exitCode != 0 && result.output.isEmpty, "\(line): \(result)")
            #expect(result.errorLines.count == 1, "\(line): \(result)")
            text += "$ ddp-train \(line)\n\(result.errors)exit code \(result.exitCode)\n\n"
        }
        try Snapshot.expect(text, in: "messages/errors.txt")
    }
}
