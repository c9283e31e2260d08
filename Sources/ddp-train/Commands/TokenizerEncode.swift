import ArgumentParser
import Formats
import Tokenizers

/// `ddp-train tokenizer encode`: text to ids.
struct TokenizerEncode: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "encode",
        abstract: "Print the ids of a text, with spaces between them."
    )

    @OptionGroup var tokenizer: TokenizerArguments

    @OptionGroup var text: TextArguments

    @Flag(
        name: .customLong("special_tokens"),
        help: "Take what looks like a special token, such as <|endoftext|>, as one."
    )
    var specialTokens = false

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let text = try text.given() ?? Console.input()
        let tokenizer = try tokenizer.open(text: text)
        let ids = try specialTokens ? tokenizer.encodePrompt(text) : tokenizer.encode(text)
        guard !json else {
            let values = ids.map { JSONValue.integer(Int($0)) }
            return try Console.output(JSONValue.object([.init("ids", .array(values))]).text() + "\n")
        }
        try Console.output(ids.map { String($0) }.joined(separator: " ") + "\n")
    }
}
