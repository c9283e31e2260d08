/// Counts conversions, skipped input and anomalies in a corpus, and keeps the place of the first of each kind.
final class CorpusNotices {
    /// The raw value is the name of the count in dataset.json.
    enum Kind: String, CaseIterable {
        case jsonLines = "files_recognized_as_jsonl"
        case otherJSON = "files_of_json_as_text"
        case byteOrderMark = "byte_order_marks_left_out"
        case utf16 = "files_converted_from_utf16"
        case invalidUTF8 = "bytes_not_utf8"
        case nul = "nul_characters"
        case skippedLine = "lines_skipped"
        case skippedFile = "files_skipped"
        case carriageReturns = "files_with_crlf_separators"
        case absentSeparator = "files_without_separator"
    }

    private var found: [Kind: (count: Int, first: String)] = [:]
    private let format: CorpusFormat

    init(format: CorpusFormat = CorpusFormat()) { self.format = format }

    /// - Parameter place: The place, such as a file and a line.
    func add(_ kind: Kind, at place: String, count: Int = 1) {
        found[kind] = (found[kind].map { $0.count + count } ?? count, found[kind]?.first ?? place)
    }

    /// The count of each kind that occurred.
    var counts: [(kind: Kind, count: Int)] {
        Kind.allCases.compactMap { kind in found[kind].map { (kind, $0.count) } }
    }

    /// One line for each kind that occurred.
    var lines: [String] {
        Kind.allCases.compactMap { kind in found[kind].map { line(kind, $0.count, $0.first) } }
    }

    private func line(_ kind: Kind, _ count: Int, _ first: String) -> String {
        let files = count == 1 ? first : "\(count) files, the first of them \(first)"
        return switch kind {
        case .jsonLines: "recognized as JSONL by content, with the text in the field \(format.fieldName): \(files)"
        case .otherJSON:
            """
            JSON read as plain text, because most of its first lines have no string in the field \(format.fieldName) (to read \
            it as JSONL, pass the name of the field with --field): \(files)
            """
        case .byteOrderMark: "removed the UTF-8 byte order mark at the start: \(files)"
        case .utf16: "converted from UTF-16: \(files)"
        case .invalidUTF8:
            """
            kept \(count) \(count == 1 ? "byte that is" : "bytes that are") not UTF-8, the first in \(first); if the text has \
            another encoding, convert it first, for example with iconv -f LATIN1 -t UTF-8
            """
        case .nul: "kept \(count) NUL \(count == 1 ? "character" : "characters"), the first in \(first)"
        case .skippedLine: "--skip_bad skipped \(count) \(count == 1 ? "line" : "lines"), the first in \(first)"
        case .skippedFile: "--skip_bad skipped files that are not text: \(files)"
        case .carriageReturns:
            "the separator \(format.shownSeparator) was found with CR LF line endings: \(files)"
        case .absentSeparator:
            "the separator \(format.shownSeparator) does not occur, so each file is one document: \(files)"
        }
    }
}
