import ArgumentParser
import Foundation
import Testing

@testable import ddp_train

/// The help of every command, held against `Snapshots/help`.
@Suite("Help texts")
struct HelpTests {
    /// Every command by its path, such as `checkpoint diff`.
    private static func commands(
        from command: any ParsableCommand.Type = DDPTrain.self,
        path: String = ""
    ) -> [(path: String, command: any ParsableCommand.Type)] {
        let below = command.configuration.subcommands.flatMap { child in
            commands(from: child, path: (path + " " + child._commandName).trimmingCharacters(in: .whitespaces))
        }
        return [(path.isEmpty ? "ddp-train" : path, command)] + below
    }

    @Test("Each command's help is the one that was agreed on", arguments: commands().map(\.path))
    func snapshot(_ path: String) throws {
        let command = try #require(Self.commands().first { $0.path == path }).command
        let text = DDPTrain.helpMessage(for: command, columns: 80) + "\n"
        try Snapshot.expect(text, in: "help/" + path.replacing(" ", with: "-") + ".txt")
    }

    @Test("There is no help left over of a command that is gone")
    func leftOver() throws {
        let expected = Set(Self.commands().map { $0.path.replacing(" ", with: "-") + ".txt" })
        let found = try FileManager.default.contentsOfDirectory(atPath: Snapshot.folder.appending(path: "help").path())
        #expect(Set(found) == expected)
    }

    @Test("Options speak alike: a capital at the beginning, a full stop at the end, and the project's words")
    func voice() {
        /// What is not said here, with the word that is.
        let otherWords = [
            "loss function": "loss", "worker process": "rank", "node": "machine", "directory": "folder",
            "minibatch": "micro-batch", "validation set": "validation split", "hyperparameter": "option",
        ]
        for (path, command) in Self.commands() {
            let text = DDPTrain.helpMessage(for: command, columns: 10_000)
            for (word, ours) in otherWords {
                #expect(!text.lowercased().contains(word), "\(path) says \(word) where the others say \(ours)")
            }
            #expect(command.configuration.abstract.hasSuffix("."), "\(path)")
            // Examples and tables are not to be wrapped: what is copied from them has to work.
            for line in command.configuration.discussion.split(separator: "\n") where line.hasPrefix("  ") {
                #expect(line.count <= 80, "\(path): \(line)")
            }
            for line in text.split(separator: "\n") where line.hasPrefix("  --") {
                guard let start = line.dropFirst(2).range(of: "  ")?.upperBound else { continue }
                var help = line[start...].drop { $0 == " " }
                // What stands in brackets at the end, the parser's defaults and our own, belongs to no sentence.
                while help.hasSuffix(")"), let bracket = help.lastIndex(of: "(") { help = help[..<bracket].dropLast() }
                guard let first = help.first else { continue }
                #expect(first.isUppercase || !first.isLetter || help.hasPrefix("gpt2"), "\(path): \(line)")
                #expect(help.hasSuffix(".") || help.hasSuffix("?"), "\(path): \(line)")
            }
        }
    }

    @Test("--version names number, commit, kernels and what was built in")
    func version() throws {
        let lines = Version.text.split(separator: "\n")
        #expect(lines.first?.hasPrefix("ddp-train \(Version.number)") == true)
        for name in ["kernels: ", "matrix products: ", "between ranks: tcp", "archives: "] {
            #expect(lines.contains { $0.hasPrefix(name) }, "\(name)")
        }
        #expect(!Version.program.contains("\n"))
    }
}
