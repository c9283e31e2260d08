import Datasets
import Formats
import Platform
import Tokenizers

/// How files contain documents.
struct CorpusFormat: Equatable, Sendable {
    /// The text that ends a document of plain text, or nil if each file or archive member is one document.
    var separator: String?
    /// The field of JSONL objects that is the text. If nil, the field is "text", and JSONL files are recognized by name
    /// or content.
    var field: String?
    /// Whether to skip bad lines of JSONL and files that are not text.
    var skipsBad = false

    var fieldName: String { field ?? "text" }

    /// The text that is written after each document if the tokenizer has no end-of-text token.
    var keptSeparator: String { separator ?? "\n\n" }

    /// The separator in quotation marks, with escapes such as `\n`.
    var shownSeparator: String {
        // Replaces scalars, because CR LF is one `Character`.
        let names: [Unicode.Scalar: String] = ["\n": "\\n", "\r": "\\r", "\t": "\\t"]
        return "\"" + keptSeparator.unicodeScalars.map { names[$0] ?? String($0) }.joined() + "\""
    }
}

/// Reads the text of sources in order, batch by batch. It reads plain text and JSONL, also in compressed files and
/// nested archives.
final class CorpusReader {
    private let sources: [CorpusSource]
    private let format: CorpusFormat
    private var assembler: TextAssembler
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)

    /// The indexes of the current source and of the current file in it.
    private var source = 0
    private var file = 0
    private var fileStream: FileStream?
    private var bytesOfFinishedFiles = 0
    /// The finished files of the current source.
    private var hashes: [(path: FilePath, bytes: Int, sha256: String)] = []
    /// The open archives. Each is a member of the one before it.
    private var archives: [ArchiveStream] = []
    private var current: (any ByteStream)?

    /// The name, size and hash of each source that was read to its end.
    private(set) var finishedSources: [DatasetDescription.Source] = []
    let notices: CorpusNotices
    /// The UTF-8 check of the current plain text; nil for JSONL.
    private var encoding: UTF8Check?

    /// - Parameter lastCut: Returns the last place where the tokenizer allows a text to be cut, or 0 if there is none.
    init(sources: [CorpusSource], format: CorpusFormat, lastCut: @escaping (UnsafeRawBufferPointer) -> Int) {
        self.sources = sources
        self.format = format
        notices = CorpusNotices(format: format)
        assembler = TextAssembler(format: format, notices: notices, lastCut: lastCut)
    }

    deinit { buffer.deallocate() }

    /// The number of bytes read from the sources. Compressed files count with their compressed size.
    var bytesRead: Int { bytesOfFinishedFiles + (fileStream?.byteCount ?? 0) }

    /// Returns the next batch, or nil at the end.
    ///
    /// - Throws: `UserError(.inputOutput)` if a file cannot be read, `UserError(.data)` if it is damaged or not text.
    func next() throws -> TextBatch? {
        while true {
            if let batch = assembler.take() { return batch }
            guard try step() else { return assembler.takeRest() }
        }
    }

    /// Whether a file always contains documents: archives and JSONL do.
    ///
    /// - Throws: `UserError` if the file cannot be read, `BinaryContent` if it is not text.
    static func holdsDocuments(_ file: FileStream, format: CorpusFormat) throws -> Bool {
        switch try RecognizedContent(file, format: format).kind {
        case .text: false
        case .jsonLines, .archive, .compressed: true
        }
    }

    // MARK: - Steps

    /// Reads some bytes, or opens or closes one file or member. Returns false at the end of the sources.
    private func step() throws -> Bool {
        if let current {
            let count = try current.read(into: buffer)
            guard count == 0 else {
                let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
                encoding?.add(bytes)
                try assembler.append(bytes)
                return true
            }
            try assembler.end()
            noteEncoding(of: current)
            self.current = nil
            if archives.isEmpty { try finishFile() }
            return true
        }
        if let archive = archives.last {
            if let member = try archive.next() {
                if !isHidden(member.name, in: archive.name) { try open(member) }
            } else {
                archives.removeLast()
                if archives.isEmpty { try finishFile() }
            }
            return true
        }
        return try openNext()
    }

    /// Whether the path of a member has a component that starts with a dot, such as macOS's `._name` or a `.git`
    /// folder. Such files are skipped in folders too.
    private func isHidden(_ name: String, in archive: String) -> Bool {
        let own = name.hasPrefix(archive) ? name.dropFirst(archive.count) : name[...]
        return own.split(separator: "/").contains { $0.hasPrefix(".") && $0 != "." && $0 != ".." }
    }

    private func open(_ stream: any ByteStream) throws {
        let content: RecognizedContent
        do {
            content = try RecognizedContent(stream, format: format)
        } catch let binary as BinaryContent {
            guard format.skipsBad else { throw binary.error() }
            notices.add(.skippedFile, at: "\(binary.name), which \(binary.reason)")
            if archives.isEmpty { try finishFile() }
            return
        }
        for notice in content.notices { notices.add(notice, at: stream.name) }
        switch content.kind {
        case .archive:
            guard archives.count < RecognizedContent.maximumDepth else {
                throw UserError(
                    .data,
                    "\(stream.name) is nested in \(RecognizedContent.maximumDepth) archives; unpack them first"
                )
            }
            archives.append(try ArchiveStream(content.stream))
        case .jsonLines: begin(content.stream, .jsonLines, from: content.offset)
        case .text, .compressed: begin(content.stream, .text, from: content.offset)
        }
    }

    private func begin(_ stream: any ByteStream, _ form: TextAssembler.Form, from offset: Int = 0) {
        current = stream
        // JSONL is checked line by line in JSONLine.
        encoding = form == .text ? UTF8Check(from: offset) : nil
        assembler.begin(stream.name, form: form, split: sources[source].split, from: offset)
    }

    private func noteEncoding(of stream: any ByteStream) {
        encoding?.finish()
        for (kind, finding) in [(CorpusNotices.Kind.invalidUTF8, encoding?.invalid), (.nul, encoding?.nul)] {
            guard let finding, let first = finding.first else { continue }
            notices.add(kind, at: "\(stream.name) at byte \(first)", count: finding.count)
        }
    }

    private func openNext() throws -> Bool {
        guard source < sources.count else { return false }
        switch sources[source].content {
        case .demo(let seed, let characters):
            begin(DemoStream(seed: seed, characters: characters), .text)
        case .standardInput:
            let stream = FileStream()
            fileStream = stream
            try open(stream)
        case .file, .files:
            let isKeptInput = sources[source].name == CorpusSource.standardInputName
            let stream = try FileStream(
                path: sources[source].files[file].path,
                name: isKeptInput ? FileStream.standardInput : nil
            )
            fileStream = stream
            try open(stream)
        }
        return true
    }

    private func finishFile() throws {
        if let stream = fileStream {
            // Bytes after the end of an archive count for the size and the hash of the file.
            while try stream.read(into: buffer) > 0 {}
            let files = sources[source].files
            if !files.isEmpty { try files[file].checkUnchanged(byteCount: stream.byteCount, now: stream.info) }
            guard stream.byteCount > 0 || files.count > 1 else {
                throw UserError(.data, "\(stream.name) is empty: there is no text to prepare")
            }
            bytesOfFinishedFiles += stream.byteCount
            hashes.append((files.isEmpty ? sources[source].name : files[file].path, stream.byteCount, stream.sha256))
            fileStream = nil
        }
        file += 1
        guard file >= sources[source].files.count else { return }
        finishSource()
        (source, file) = (source + 1, 0)
    }

    /// Adds the finished source. The hash of a folder is the SHA-256 of the lines that `sha256sum` prints for its
    /// files.
    private func finishSource() {
        defer { hashes = [] }
        let named = sources[source]
        switch named.content {
        case .demo: return
        case .file, .standardInput:
            finishedSources.append(
                .init(name: named.name.lastComponent.description, bytes: hashes[0].bytes, sha256: hashes[0].sha256)
            )
        case .files:
            var lines = RunningChecksum()
            for hash in hashes {
                let line = Array("\(hash.sha256)  ".utf8) + hash.path.bytes + [0x0A]
                line.withUnsafeBytes { lines.update($0) }
            }
            finishedSources.append(
                .init(
                    name: named.name.lastComponent.description,
                    bytes: hashes.reduce(0) { $0 + $1.bytes },
                    sha256: lines.text
                )
            )
        }
    }
}
