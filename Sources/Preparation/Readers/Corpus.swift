import Formats
import Platform

/// The text of a dataset.
struct Corpus: Sendable {
    var sources: [CorpusSource]
    var format: CorpusFormat
    /// Whether the corpus is a single text, which is split by position, and not a collection of documents.
    var isOneText: Bool
    /// The SHA-256 of standard input after it was copied to a file, else empty.
    private var keptInputHash = ""

    /// The total size of the files in bytes, or 0 if it is not known.
    var byteCount: Int {
        readsStandardInput ? 0 : sources.reduce(0) { $0 + $1.byteCount }
    }

    var readsStandardInput: Bool { sources.contains { $0.content == .standardInput } }
    var hasFiles: Bool { sources.contains { !$0.files.isEmpty } }

    init(sources: [CorpusSource], format: CorpusFormat = CorpusFormat(), isOneText: Bool = true) {
        self.sources = sources
        self.format = format
        self.isOneText = isOneText
    }

    /// Creates a corpus from the inputs of the user.
    ///
    /// Plain text files that are named individually are one text. The corpus is a collection of documents if an input
    /// is a folder, a pattern, an archive or JSONL, or if there is a separator, a field or a validation share.
    ///
    /// - Throws: `UserError` if an input does not exist, cannot be read, or is not text.
    init(inputs: [FilePath], format: CorpusFormat, hasShare: Bool) throws {
        guard !inputs.isEmpty else {
            throw UserError(.usage, "there is no text to prepare; pass files with --input")
        }
        guard inputs.filter({ $0 == CorpusSource.standardInputName }).count < 2 else {
            throw UserError(.usage, "standard input can be read only once; pass - only once")
        }
        let sources = try inputs.map { try CorpusSource(named: $0) }
        var areDocuments = format.separator != nil || format.field != nil || hasShare
        var binary: [BinaryContent] = []
        for source in sources {
            if case .files = source.content { areDocuments = true }
            for file in source.files {
                do {
                    // Checks the first bytes of every file now, so that binary files do not stop the run hours later.
                    let holdsDocuments = try CorpusReader.holdsDocuments(FileStream(path: file.path), format: format)
                    areDocuments = areDocuments || holdsDocuments
                } catch let content as BinaryContent {
                    binary.append(content)
                    areDocuments = true
                }
            }
        }
        if let first = binary.first, !format.skipsBad { throw first.error(others: binary.count - 1) }
        self.init(sources: sources, format: format, isOneText: !areDocuments)
    }

    func reader(lastCut: @escaping (UnsafeRawBufferPointer) -> Int) -> CorpusReader {
        CorpusReader(sources: sources, format: format, lastCut: lastCut)
    }

    /// Copies standard input to a file, so that it can be read twice.
    ///
    /// - Throws: `UserError(.inputOutput)` if the file cannot be written.
    mutating func keepStandardInput(in path: String, progress: (_ bytes: Int) -> Void) throws {
        guard let index = sources.firstIndex(where: { $0.content == .standardInput }) else { return }
        let file = try AtomicFile(path: path)
        let stream = FileStream()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
        defer { buffer.deallocate() }
        while case let count = try stream.read(into: buffer), count > 0 {
            try file.append(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
            progress(stream.byteCount)
        }
        try file.commit()
        keptInputHash = stream.sha256
        sources[index].content = .file(try CorpusFile(FilePath(path)))
        guard isOneText else { return }
        do {
            let kept = try FileStream(path: FilePath(path), name: FileStream.standardInput)
            isOneText = try !CorpusReader.holdsDocuments(kept, format: format)
        } catch let content as BinaryContent {
            throw content.error()
        }
    }

    /// The error for the first file that changed since the corpus was created; nil if no file changed.
    var change: (any Error)? {
        do {
            for file in sources.flatMap(\.files) {
                let now = try FileInfo(of: file.path)
                try file.checkUnchanged(byteCount: now.size, now: now)
            }
            return nil
        } catch {
            return error
        }
    }

    /// A hash of the names, sizes and modification times of the files, and of the options that change the text. An
    /// interrupted preparation continues only if the hash is the same.
    var identity: String {
        var parts = [format.separator ?? "", format.field ?? "", String(format.skipsBad), String(isOneText)].map {
            Array($0.utf8)
        }
        for source in sources {
            parts += [source.name.bytes, Array((source.split?.rawValue ?? "").utf8)]
            if case .demo(let seed, let characters) = source.content {
                parts += ["\(seed)", "\(characters)"].map { Array($0.utf8) }
            }
            if source.name == CorpusSource.standardInputName {
                parts.append(Array(keptInputHash.utf8))
                continue
            }
            for file in source.files {
                parts += [file.path.bytes, Array("\(file.info.size)".utf8), Array(file.info.modificationTime.utf8)]
            }
        }
        var checksum = RunningChecksum()
        Array(parts.joined(separator: [0])).withUnsafeBytes { checksum.update($0) }
        return checksum.text
    }
}
