import ArgumentParser
import Platform
import Preparation
import Tokenizers

/// `ddp-train tokenizer`: makes tokenizers, and shows what they do.
struct TokenizerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenizer",
        abstract: "Train a tokenizer, or look at what one does.",
        discussion: """
              ddp-train tokenizer train --vocab_size 8192 --input book.txt --out mine
              ddp-train tokenizer encode --tokenizer mine "To be, or not to be"
              ddp-train tokenizer info --tokenizer gpt2 FILE:book.txt
            """,
        subcommands: [TokenizerTrain.self, TokenizerEncode.self, TokenizerDecode.self, TokenizerInfo.self]
    )
}

/// Which tokenizer a command works with.
struct TokenizerArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            gpt2, byte, char (the characters of the text itself), or a path: a tokenizer.json, vocab.bpe, merges.txt or \
            .tiktoken file, or a folder with one.
            """,
            valueName: "tokenizer"
        )
    )
    var tokenizer = "gpt2"

    /// - Parameter text: what `char` takes its characters from.
    func open(text: [UInt8]? = nil) throws -> any Tokenizer {
        try TokenizerSource(tokenizer).open(text: text, notice: Console.note)
    }
}

/// The text that a command works on.
struct TextArguments: ParsableArguments {
    @Argument(
        help: ArgumentHelp("Text, FILE:path, or - for standard input. (default: standard input)", valueName: "text")
    )
    var text: String?

    @Option(
        help: ArgumentHelp("A file with the text; - for standard input.", valueName: "file"),
        completion: .file()
    )
    var input: String?

    /// Nil when none is given.
    func given() throws -> [UInt8]? {
        guard text == nil || input == nil else { throw UserError(.usage, "--input=\(input!): there is a text already") }
        if let input { return input == "-" ? try Console.input() : try FileSystem.read(input) }
        return try text.map(Console.text(of:))
    }
}
