import Foundation
import TestSupport
import Testing

/// A folder with a data set `mine` and a run of twenty iterations in `out`, made once; tests add to it, and change nothing.
final class TrainedRun: @unchecked Sendable {
    static let shared = Result { try TrainedRun() }

    /// A model and steps so small that a run takes no time.
    static let tiny = [
        "--n_layer=2", "--n_head=2", "--n_embd=16", "--block_size=16", "--batch_size=4", "--max_iters=20",
        "--gradient_accumulation_steps=2", "--dropout=0.1", "--eval_interval=10", "--eval_iters=2", "--warmup_iters=2",
        "--lr_decay_iters=20",
    ]

    static let text = String(
        repeating: "The quick brown fox jumps over the lazy dog; the dog sleeps on.\nWhy? Über all: 0123456789.\n",
        count: 60
    )

    let folder: TemporaryFolder
    let preparation: Program.Result
    let training: Program.Result
    var program: Program { Program(in: folder) }

    private init() throws {
        folder = try TemporaryFolder()
        // What is shared lives until the process ends, and nobody lets go of it then.
        atexit {
            guard let path = try? TrainedRun.shared.get().folder.path else { return }
            try? FileManager.default.removeItem(atPath: path)
        }
        try Self.text.write(toFile: folder("text.txt"), atomically: true, encoding: .utf8)
        let program = Program(in: folder)
        preparation = try program.run("prepare", "--input", "text.txt", "--name", "mine")
        training = try program.start(["--dataset=mine"] + Self.tiny).wait()
    }

    /// The run's folder as a sorted list of its files with their contents' hashes.
    static func contents(of path: String) throws -> [String] {
        let enumerator = FileManager.default.enumerator(atPath: path)
        let names = (enumerator?.allObjects as? [String] ?? []).sorted()
        return names.map { name in
            let data = FileManager.default.contents(atPath: path + "/" + name)
            return "\(name) \(data.map { "\($0.count) \($0.hashValue)" } ?? "")"
        }
    }
}

extension Program.Result {
    /// The hash of the parameters in the last line of a run.
    var parameterHash: String? {
        outputLines.last.flatMap { line in
            line.firstMatch(of: #/^parameters ([0-9a-f]{16}); repeat with: ddp-train /#).map { String($0.output.1) }
        }
    }
}
