import ArgumentParser
import Platform
import Preparation

/// `ddp-train tokenizer decode`: ids to text.
struct TokenizerDecode: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "decode",
        abstract: "Print the text of ids, byte by byte as it was, and nothing else."
    )

    @OptionGroup var tokenizer: TokenizerArguments

    @Argument(
        help: ArgumentHelp(
            "Ids with spaces or commas between them, or FILE:path. (default: standard input)",
            valueName: "ids"
        )
    )
    var ids: [String] = []

    func run() throws {
        let text =
            ids.count < 2
            ? String(decoding: try Console.text(of: ids.first ?? "-"), as: UTF8.self) : ids.joined(separator: " ")
        guard TokenizerSource(tokenizer.tokenizer) != .char else {
            throw UserError(
                .usage,
                "tokenizer=char: ids alone do not say which characters they are; name a tokenizer.json"
            )
        }
        let tokenizer = try tokenizer.open()
        let ids = try text.split { $0.isWhitespace || $0 == "," }.map { word in
            guard let id = Int32(word), id >= 0, id < tokenizer.vocabularySize else {
                throw UserError(
                    .data,
                    "\(word) is no id of this tokenizer: they are 0 to \(tokenizer.vocabularySize - 1)"
                )
            }
            return id
        }
        try Console.output(tokenizer.decode(ids))
    }
}
