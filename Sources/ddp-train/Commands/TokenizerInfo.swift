import ArgumentParser
import Compute
import Formats
import Foundation
import Platform
import Tokenizers

/// `ddp-train tokenizer info`: what a tokenizer is.
struct TokenizerInfo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "info",
        abstract: "Show kind, size and hash of a tokenizer, and how small and how fast it makes a text."
    )

    @OptionGroup var tokenizer: TokenizerArguments

    @OptionGroup var text: TextArguments

    @Option(help: NumberText.threadsHelp)
    var threads: NumberText = 1

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let text = try text.given()
        let tokenizer = try tokenizer.open(text: text)
        let measured = try text.map { try measure(tokenizer, $0) }
        let longest =
            (0..<Int32(tokenizer.vocabularySize)).filter { $0 != tokenizer.endOfText }
            .map { tokenizer.decode([$0]) }.max { $0.count < $1.count } ?? []
        let hash = TokenizerFile.hash(of: tokenizer)
        guard !json else {
            var members: [JSONValue.Member] = [
                .init("kind", .string(tokenizer.name)),
                .init("vocabulary_size", .integer(tokenizer.vocabularySize)),
                .init("sha256", .string(hash)),
                .init("end_of_text", tokenizer.endOfText.map { .integer(Int($0)) } ?? .null),
                .init("longest_token_bytes", .integer(longest.count)),
            ]
            if let text, let measured {
                members += [
                    .init("text_bytes", .integer(text.count)), .init("text_tokens", .integer(measured.tokens)),
                    .init("encode_seconds", .number(measured.seconds)),
                ]
            }
            return try Console.output(JSONValue.object(members).text() + "\n")
        }
        let longestText = JSONValue.string(String(decoding: longest, as: UTF8.self)).text()
        var facts: [(String, String)] = [
            ("kind", tokenizer.name),
            ("tokens", "\(tokenizer.vocabularySize)"),
            ("sha256", hash),
            ("end of text", tokenizer.endOfText.map { String($0) } ?? "none"),
            ("longest token", "\(longest.count) bytes: \(longestText)"),
        ]
        if let text, let measured {
            let share = Double(text.count) / Double(max(1, measured.tokens))
            let speed = Double(text.count) / 1e6 / measured.seconds
            facts += [
                ("bytes a token", String(format: "%.3f (%d bytes, %d tokens)", share, text.count, measured.tokens)),
                ("speed", String(format: "%.1f MB/s", speed)),
            ]
        }
        try Console.output(TextTable.facts(facts, gap: 3))
    }

    private func measure(_ tokenizer: any Tokenizer, _ text: [UInt8]) throws -> (tokens: Int, seconds: Double) {
        let pool = WorkerPool(threadCount: try threads.threads())
        let clock = ContinuousClock()
        let start = clock.now
        let count = try text.withUnsafeBytes { try tokenizer.encode($0, pool: pool).count }
        return (count, (clock.now - start) / .seconds(1))
    }
}
