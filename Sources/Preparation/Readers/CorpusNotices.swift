/// What was found in a corpus that a user should know, although it is read: how often, and where first.
final class CorpusNotices {
    /// The raw value is the member of dataset.json that has the count.
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

    /// - Parameter place: where it was found, such as a file and a line.
    func add(_ kind: Kind, at place: String, count: Int = 1) {
        found[kind] = (found[kind].map { $0.count + count } ?? count, found[kind]?.first ?? place)
    }

    /// How often each was found.
    var counts: [(kind: Kind, count: Int)] {
        Kind.allCases.compactMap { kind in found[kind].map { (kind, $0.count) } }
    }

    /// A line for each kind that was found.
    var lines: [String] {
        Kind.allCases.compactMap { kind in found[kind].map { line(kind, $0.count, $0.first) } }
    }

    private func line(_ kind: Kind, _ count: Int, _ first: String) -> String {
        let files = count == 1 ? first : "\(count) files, the first of them \(first)"
        return switch kind {
        case .jsonLines: "recognized as JSONL by content, with the text in the field \(format.fieldName): \(files)"
        case .otherJSON:
            """
            read as plain text although it is JSON, as most of its first lines have no field \(format.fieldName) with a \
            text (--field names another, and makes JSONL of any file): \(files)
            """
        case .byteOrderMark: "left out the UTF-8 byte order mark at the start: \(files)"
        case .utf16: "converted from UTF-16: \(files)"
        case .invalidUTF8:
            """
            \(count) \(count == 1 ? "byte is" : "bytes are") not UTF-8 and kept, the first in \(first): if the text is in \
            another encoding, convert it first, such as with iconv -f LATIN1 -t UTF-8
            """
        case .nul: "\(count) NUL \(count == 1 ? "character is" : "characters are") kept, the first in \(first)"
        case .skippedLine: "--skip_bad passed over \(count) \(count == 1 ? "line" : "lines"), the first in \(first)"
        case .skippedFile: "--skip_bad passed over what is not text: \(files)"
        case .carriageReturns:
            "the separator \(format.shownSeparator) was found with CR LF line ends: \(files)"
        case .absentSeparator:
            "the separator \(format.shownSeparator) does not occur, and each file is one document: \(files)"
        }
    }
}
