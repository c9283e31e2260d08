import Datasets
import Formats
import Platform
import Tokenizers

/// How documents stand in files.
struct CorpusFormat: Equatable, Sendable {
    /// Ends a document of plain text; nil where a file, or a member of an archive, is one document.
    var separator: String?
    /// The field of a line of JSONL that is its text; nil for "text", in files that are JSONL by their names or their content.
    var field: String?
    /// Whether bad lines of JSONL, and files that are not text, are passed over.
    var skipsBad = false

    var fieldName: String { field ?? "text" }

    /// The separator that is kept after each document where the tokenizer has no token for its end.
    var keptSeparator: String { separator ?? "\n\n" }

    /// A separator as it is typed: with `\n` for a line feed. By scalars, as CR LF is one character.
    var shownSeparator: String {
        let names: [Unicode.Scalar: String] = ["\n": "\\n", "\r": "\\r", "\t": "\\t"]
        return "\"" + keptSeparator.unicodeScalars.map { names[$0] ?? String($0) }.joined() + "\""
    }
}

/// Reads the text of some sources, in order, batch by batch: plain text, JSONL, and both in compressed files and archives,
/// however deeply they lie within each other.
final class CorpusReader {
    private let sources: [CorpusSource]
    private let format: CorpusFormat
    private var assembler: TextAssembler
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)

    /// Which file is next.
    private var source = 0
    private var file = 0
    private var fileStream: FileStream?
    private var bytesOfFinishedFiles = 0
    /// Of the source that is being read.
    private var hashes: [(path: FilePath, bytes: Int, sha256: String)] = []
    /// Archives that are open, each within the one before it.
    private var archives: [ArchiveStream] = []
    private var current: (any ByteStream)?

    /// What was read of each source that was read to its end.
    private(set) var finishedSources: [DatasetDescription.Source] = []
    /// What of the text that was read so far a user should know.
    let notices: CorpusNotices
    /// Of the plain text that is being read.
    private var encoding: UTF8Check?

    /// - Parameter lastCut: the last place in a text where the tokenizer allows it to be cut; 0 when there is none.
    init(sources: [CorpusSource], format: CorpusFormat, lastCut: @escaping (UnsafeRawBufferPointer) -> Int) {
        self.sources = sources
        self.format = format
        notices = CorpusNotices(format: format)
        assembler = TextAssembler(format: format, notices: notices, lastCut: lastCut)
    }

    deinit { buffer.deallocate() }

    /// Bytes of the sources (compressed ones as they are) that were read.
    var bytesRead: Int { bytesOfFinishedFiles + (fileStream?.byteCount ?? 0) }

    /// The next batch; nil at the end.
    ///
    /// - Throws: `UserError`: `.inputOutput` for what cannot be read, `.data` for what is damaged, with its name.
    func next() throws -> TextBatch? {
        while true {
            if let batch = assembler.take() { return batch }
            guard try step() else { return assembler.takeRest() }
        }
    }

    /// Whether a file's text is several documents whatever the format says: it is an archive, or JSONL.
    ///
    /// - Throws: `UserError` for what cannot be read; `BinaryContent` for what is not text.
    static func holdsDocuments(_ file: FileStream, format: CorpusFormat) throws -> Bool {
        switch try RecognizedContent(file, format: format).kind {
        case .text: false
        case .jsonLines, .archive, .compressed: true
        }
    }

    // MARK: - A step: some bytes, or one thing opened or closed

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

    /// Files that systems leave in archives, such as macOS's `._name`, and folders such as `.git`, as in a folder that is read.
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
                    "\(stream.name) is an archive within \(RecognizedContent.maximumDepth) others: unpack them first"
                )
            }
            archives.append(try ArchiveStream(content.stream))
        case .jsonLines: begin(content.stream, .jsonLines, from: content.offset)
        case .text, .compressed: begin(content.stream, .text, from: content.offset)
        }
    }

    private func begin(_ stream: any ByteStream, _ form: TextAssembler.Form, from offset: Int = 0) {
        current = stream
        // JSONL is checked line by line.
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
            // What follows an archive's end belongs to the file all the same.
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

    /// A folder's hash is that of its files' hashes and paths, a line each, as sha256sum prints them.
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
