import Formats
import Platform
import TestSupport
import Testing

@testable import Datasets
@testable import Preparation
@testable import Tokenizers

/// Real-world input files, with the resulting documents and notices.
@Suite("Real-world texts")
struct FieldCasesTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static func file(_ name: String) -> String { Fixtures.path("cases/data/" + name) }

    private static let reports = (0..<40).map { "report \($0) of the harbour office, page \($0 * $0)" }

    private func write(_ bytes: some Sequence<UInt8>, to name: String) throws -> String {
        try FileSystem.createFolder(FileSystem.folder(of: folder(name)))
        try AtomicFile.write(Array(bytes), to: folder(name))
        return folder(name)
    }

    private struct Prepared {
        var documents: Int?
        var notices: [String]
        /// The text of both splits.
        var text: String
        var description: DatasetDescription
    }

    private func prepare(
        _ paths: [String],
        tokenizer: TokenizerSource = .byte,
        _ change: (inout PreparationRequest) -> Void = { _ in }
    ) throws -> Prepared {
        var request = PreparationRequest(
            source: .inputs(paths),
            name: "mine",
            dataFolder: folder("data"),
            tokenizer: tokenizer,
            overwrite: true
        )
        request.validationShare = nil
        change(&request)
        var notices: [String] = []
        let result = try DataPreparation.run(request) { _ in
        } announce: {
            notices.append($0)
        }
        let dataset = try Dataset.open(folder: folder("data"), name: "mine")
        var text: [UInt8] = []
        for sequence in [dataset.train, dataset.validation] {
            var tokens = [Int32](repeating: -1, count: sequence.count)
            try tokens.withUnsafeMutableBufferPointer {
                try sequence.copy(from: 0, count: $0.count, into: $0.baseAddress!)
            }
            text += dataset.tokenizer?.decode(tokens) ?? []
        }
        return Prepared(
            documents: result.documents.map { $0.train + $0.validation },
            notices: notices,
            text: String(decoding: text, as: UTF8.self),
            description: try DatasetDescription(path: result.path + "/dataset.json")
        )
    }

    // MARK: - JSON lines

    @Test(
        "lines of JSON are documents regardless of the file name",
        arguments: ["json", "json.gz", "JSONL", "jl", "part", ""]
    )
    func lines(ending: String) throws {
        let isPacked = ending == "json.gz"
        guard !isPacked || ArchiveReader.isBuiltIn else { return }
        let name = ending.isEmpty ? "lines" : "lines." + ending
        let path = try write(try FileSystem.read(Self.file(isPacked ? "d6-lines.json.gz" : "d6-lines.json")), to: name)
        let prepared = try prepare([path])
        #expect(prepared.documents == 40)
        #expect(Set(prepared.text.split(separator: "\n\n").map { String($0) }) == Set(Self.reports))
        let notice = "recognized as JSONL by content, with the text in the field text: \(path)"
        #expect(prepared.notices.contains(notice) == (ending != "JSONL"), "\(prepared.notices)")
        #expect(prepared.description.reading.isEmpty == (ending == "JSONL"))
    }

    @Test("JSONL with a byte order mark or NaN is read", arguments: ["d7-bom.jsonl", "d7-nan.jsonl"])
    func oddLines(name: String) throws {
        let prepared = try prepare([Self.file(name)])
        #expect(prepared.documents == 40)
        #expect(Set(prepared.text.split(separator: "\n\n").map { String($0) }) == Set(Self.reports))
    }

    @Test("bad lines are skipped on request, with a notice that has their number and the first one")
    func skippedLines() throws {
        let good = Self.reports.map { "{\"meta\": {\"text\": \"\($0)\"}}" }
        let lines = [good[0], "{\"meta\": {\"text\": \"cut off", good[1], "", "{\"meta\": {}}"] + good[2...]
        let path = try write(lines.joined(separator: "\n").utf8, to: "a.jsonl")
        let error = #expect(throws: UserError.self) { try prepare([path]) { $0.field = "meta.text" } }
        #expect(error?.message.hasPrefix("\(path): line 2 is not JSON: an unterminated string at byte 18") == true)
        let prepared = try prepare([path]) { ($0.field, $0.skipsBad) = ("meta.text", true) }
        #expect(prepared.documents == 40)
        #expect(
            prepared.notices.last
                == """
                --skip_bad skipped 2 lines, the first in \(path): line 2 is not JSON: an unterminated string at byte 18
                """
        )
        #expect(prepared.description.reading == [.init(name: "lines_skipped", count: 2)])
    }

    @Test("a long line is one document and is delivered in batches of bounded size")
    func longLine() throws {
        let words = (0..<1_200_000).map { "word\($0 % 1000) " }.joined()
        let line = "{\"text\": \"short\"}\n{\"a\": NaN, \"text\": \"\(words)\\n\"}\n{\"text\": \"end\"}\n"
        let path = try write(line.utf8, to: "a.jsonl")
        let reader = try Corpus(inputs: [path], format: CorpusFormat(), hasShare: false).reader {
            UTF8Scanner.lastBoundary(in: $0)
        }
        var documents: [[UInt8]] = []
        while let batch = try reader.next() {
            #expect(batch.bytes.count <= 2 * TextAssembler.batchSize)
            for piece in batch.pieces {
                if piece.startsDocument { documents.append([]) }
                documents[documents.count - 1] += batch.bytes[piece.range]
            }
        }
        #expect(documents.count == 3)
        #expect(documents[1].elementsEqual((words + "\n").utf8))
    }

    // MARK: - Encodings and binary files

    @Test("UTF-16 is converted with a notice")
    func utf16() throws {
        let prepared = try prepare([Self.file("d9-utf16.txt")])
        #expect(prepared.text.hasPrefix("The quick brown fox. The quick"))
        #expect(prepared.notices == ["converted from UTF-16: \(Self.file("d9-utf16.txt"))"])
        #expect(prepared.description.reading == [.init(name: "files_converted_from_utf16", count: 1)])
    }

    @Test("one notice has the number of bytes that are not UTF-8 and the place of the first")
    func latin1() throws {
        let path = Self.file("d9-latin1.txt")
        let bytes = try FileSystem.read(path)
        let count = bytes.count { $0 >= 0x80 }
        let first = try #require(bytes.firstIndex { $0 >= 0x80 })
        let prepared = try prepare([path, try write(bytes, to: "b.txt")])
        #expect(prepared.notices.count == 1)
        #expect(
            prepared.notices[0].hasPrefix(
                "kept \(2 * count) bytes that are not UTF-8, the first in \(path) at byte \(first); "
            ),
            "\(prepared.notices)"
        )
    }

    @Test("a folder with binary files is refused before anything is written, or they are skipped on request")
    func binary() throws {
        for (number, report) in Self.reports.enumerated() { _ = try write(report.utf8, to: "in/\(number).txt") }
        for name in ["in/5.png", "in/a/9.png"] {
            _ = try write([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], to: name)
        }
        let error = try #require(throws: UserError.self) { try prepare([folder("in")]) }
        #expect(
            error
                == UserError(
                    .data,
                    """
                    \(folder("in/5.png")) and another file are not text: the first is a PNG image; remove files that are \
                    not text, or skip them with --skip_bad
                    """
                )
        )
        #expect(FileSystem.kind(of: folder("data")) == nil)
        let prepared = try prepare([folder("in")]) { $0.skipsBad = true }
        #expect(prepared.documents == 40)
        #expect(
            prepared.notices.last
                == """
                --skip_bad skipped files that are not text: 2 files, the first of them \(folder("in/5.png")), which is a \
                PNG image
                """
        )
    }

    @Test("a byte order mark is removed, and offsets after it still refer to the file")
    func mark() throws {
        let path = try write("\u{FEFF}some text to prepare".utf8, to: "a.txt")
        #expect(try prepare([path], tokenizer: .char).text == "some text to prepare")
        let bad = try write(Array("\u{FEFF}caf".utf8) + [0xE9], to: "b.txt")
        let error = #expect(throws: UserError.self) { try prepare([bad], tokenizer: .char) }
        #expect(error?.message.hasPrefix("\(bad) is not UTF-8: byte 6 is 0xE9") == true)
    }

    @Test("a character outside the vocabulary is refused with its file")
    func unknownCharacter() throws {
        _ = try prepare([try write("some text to prepare".utf8, to: "a.txt")], tokenizer: .char)
        let other = try write("some more".utf8 + Array(repeating: 0x7A, count: 50), to: "b.txt")
        let error = #expect(throws: UserError.self) {
            try DataPreparation.run(
                PreparationRequest(
                    source: .inputs([other]),
                    name: "other",
                    dataFolder: folder("data"),
                    tokenizer: .path(folder("data/mine"))
                )
            )
        }
        #expect(
            error?.message.hasPrefix("\(other), from byte 0: the character z (U+007A) at byte 9") == true,
            "\(String(describing: error))"
        )
    }

    // MARK: - Documents and separators

    @Test(
        "without an end-of-text token, the separator is kept after each document",
        arguments: ["byte", "char"]
    )
    func words(kind: String) throws {
        let path = Self.file("d12-words.txt")
        let prepared = try prepare([path], tokenizer: TokenizerSource(kind)) { $0.separator = "\n" }
        let words = String(decoding: try FileSystem.read(path), as: UTF8.self).split(separator: "\n").sorted()
        #expect(prepared.text.split(separator: "\n").sorted() == words)
        #expect(prepared.text.hasSuffix("\n"))
        #expect(prepared.description.documentEnd == "\n")
        #expect(
            prepared.notices == [
                "the tokenizer (\(kind)) has no end-of-text token, so each document is followed by \"\\n\""
            ]
        )
    }

    @Test("without a separator option, character datasets have a blank line after each document")
    func blankLines() throws {
        let lines = Self.reports.map { "{\"text\": \"\($0)\"}\n" }.joined()
        let prepared = try prepare([try write(lines.utf8, to: "a.jsonl")], tokenizer: .char)
        #expect(Set(prepared.text.split(separator: "\n\n").map { String($0) }) == Set(Self.reports))
        #expect(prepared.description.documentEnd == "\n\n")
        let folderOfTokenizer = folder("data/mine")
        let other = try write("{\"text\": \"1\"}\n{\"text\": \"2\"}\n".utf8, to: "b.jsonl")
        let error = try #require(throws: UserError.self) {
            var request = PreparationRequest(
                source: .inputs([other]),
                name: "other",
                dataFolder: folder("data"),
                tokenizer: .path(folderOfTokenizer)
            )
            request.separator = "|"
            _ = try DataPreparation.run(request)
        }
        #expect(error.message.contains("it cannot encode \"|\""), "\(error.message)")
    }

    @Test("a line feed in the separator matches CR LF too")
    func carriageReturns() throws {
        let path = Self.file("d10-crlf.txt")
        let prepared = try prepare([path]) { $0.separator = "\n\n" }
        #expect(prepared.documents == 40)
        #expect(Set(prepared.text.split(separator: "\n\n").map { String($0) }) == Set(Self.reports.map { $0 }))
        #expect(prepared.notices.contains("the separator \"\\n\\n\" was found with CR LF line endings: \(path)"))
        // A separator with CR matches only CR LF.
        let text = try write("one\r\n\r\ntwo\n\nthree\r\n\r\n".utf8 + Array(repeating: 0x78, count: 100), to: "b.txt")
        let reader = try Corpus(inputs: [text], format: CorpusFormat(separator: "\r\n\r\n"), hasShare: false).reader {
            $0.count
        }
        let batch = try #require(try reader.next())
        #expect(
            batch.pieces.map { String(decoding: batch.bytes[$0.range].prefix(12), as: UTF8.self) } == [
                "one", "two\n\nthree", "xxxxxxxxxxxx",
            ]
        )
    }

    @Test("a separator is shown in messages as the user types it")
    func shownSeparator() {
        #expect(CorpusFormat(separator: "\r\n\t|é").shownSeparator == #""\r\n\t|é""#)
    }

    @Test("CR LF separators are found for any size of the chunks", arguments: 1...7)
    func chunks(size: Int) throws {
        let text = "a\r\n\r\nb\n\nc\r\n\nd\n\r\n\r\ne\r\r\n\r\nf\r\n"
        var assembler = TextAssembler(format: CorpusFormat(separator: "\n\n")) { $0.count }
        assembler.begin("a", form: .text, split: nil)
        try Array(text.utf8).withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: size) {
                try assembler.append(.init(rebasing: bytes[start..<min(start + size, bytes.count)]))
            }
        }
        try assembler.end()
        let rest = assembler.takeRest()
        let batch = try #require(rest)
        #expect(
            batch.pieces.map { String(decoding: batch.bytes[$0.range], as: UTF8.self) } == [
                "a", "b", "c", "d", "e\r", "f\r\n",
            ]
        )
    }

    @Test("a notice says if a file does not contain the separator")
    func absentSeparator() throws {
        let with = try write(Self.reports.joined(separator: "<|end|>").utf8, to: "in/a.txt")
        let without = try write("one long document without it".utf8, to: "in/b.txt")
        let prepared = try prepare([folder("in")]) { $0.separator = "<|end|>" }
        #expect(prepared.documents == 41)
        let notice = "the separator \"<|end|>\" does not occur, so each file is one document: "
        #expect(prepared.notices.last == notice + without)
        var notices: [String] = []
        let error = #expect(throws: UserError.self) {
            var request = PreparationRequest(
                source: .inputs([with]),
                name: "other",
                dataFolder: folder("data"),
                tokenizer: .byte
            )
            request.separator = "###"
            _ = try DataPreparation.run(request) { _ in
            } announce: {
                notices.append($0)
            }
        }
        // The notice comes before the error that it explains.
        #expect(error?.message.contains(" of 1 documents for validation") == true)
        #expect(notices.last?.hasPrefix("the separator \"###\" does not occur") == true)
    }
}
