import ArgumentParser
import Formats
import Platform

/// How documents stand in the files of --input.
struct CorpusFormatOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            What stands between the documents of plain text, such as <|endoftext|> or \\n\\n; \\n stands for CR LF too.
            """,
            valueName: "text"
        )
    )
    var separator: String?

    @Option(
        help: ArgumentHelp(
            """
            Field of JSONL that is the text, with dots for one within another (meta.text); all input is JSONL then. \
            (default: text, in .jsonl files and others that hold such lines)
            """,
            valueName: "name"
        )
    )
    var field: String?

    @Flag(
        name: .customLong("skip_bad"),
        help: "Pass over bad lines of JSONL, and files that are not text; how many is said at the end."
    )
    var skipsBad = false

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
