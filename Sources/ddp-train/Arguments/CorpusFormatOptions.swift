import ArgumentParser
import Formats
import Platform

/// How documents stand in the files of --input.
struct CorpusFormatOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What stands between the documents of plain text, such as <|endoftext|> or \\n\\n.",
            valueName: "text"
        )
    )
    var separator: String?

    @Option(
        help: ArgumentHelp(
            "Field of JSONL that is the text; all input is JSONL then. (default: text, in .jsonl files)",
            valueName: "name"
        )
    )
    var field: String?

    /// - Throws: `UserError(.usage)` when it is empty.
    var separatorText: String? {
        get throws {
            guard let separator else { return nil }
            guard !separator.isEmpty else {
                throw UserError(.usage, "separator is empty: leave it out where there is none")
            }
            return separator.resolvingEscapes
        }
    }
}
