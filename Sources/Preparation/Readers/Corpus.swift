import Formats
import Platform

/// The text that a dataset is made of.
struct Corpus: Sendable {
    var sources: [CorpusSource]
    var format: CorpusFormat
    /// Whether it is one text, to be cut by position, and not documents.
    var isOneText: Bool
    /// SHA-256 of standard input, once it is kept in a file.
    private var keptInputHash = ""

    /// Bytes of its files; 0 where that is not known.
    var byteCount: Int {
        get throws {
            if readsStandardInput { return 0 }
            return try sources.reduce(0) { try $0 + $1.byteCount }
        }
    }

    var readsStandardInput: Bool { sources.contains { $0.content == .standardInput } }
    var hasFiles: Bool { sources.contains { !$0.paths.isEmpty } }

    init(sources: [CorpusSource], format: CorpusFormat = CorpusFormat(), isOneText: Bool = true) {
        self.sources = sources
        self.format = format
        self.isOneText = isOneText
    }

    /// What the user names: files of plain text one by one are one text. A folder or a pattern, an archive, JSONL, or anything
    /// with a separator, a field or a share for validation is documents.
    ///
    /// - Throws: `UserError` for what is not there, cannot be read, or is not text.
    init(inputs: [String], format: CorpusFormat, hasShare: Bool) throws {
        guard !inputs.isEmpty else {
            throw UserError(.usage, "there is no text to prepare: name files with --input")
        }
        guard inputs.filter({ $0 == CorpusSource.standardInputName }).count < 2 else {
            throw UserError(.usage, "standard input can be read once only: name - once")
        }
        let sources = try inputs.map { try CorpusSource(named: $0) }
        var areDocuments = format.separator != nil || format.field != nil || hasShare
        var binary: [BinaryContent] = []
        for source in sources {
            if case .files = source.content { areDocuments = true }
            for path in source.paths {
                do {
                    // Before the first token, not after hours: what is not text is told by each file's first bytes.
                    let holdsDocuments = try CorpusReader.holdsDocuments(FileStream(path: path), format: format)
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

    /// Standard input can be read once: keeps it in a file, where it has to be read twice.
    ///
    /// - Throws: `UserError(.inputOutput)`.
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
        sources[index].content = .file(path)
        guard isOneText else { return }
        do {
            let kept = try FileStream(path: path, name: FileStream.standardInput)
            isOneText = try !CorpusReader.holdsDocuments(kept, format: format)
        } catch let content as BinaryContent {
            throw content.error()
        }
    }

    /// Identifies the text by the names, sizes and times of its files: the same means that an interrupted preparation may go on.
    var identity: String {
        get throws {
            var parts: [String] = [
                format.separator ?? "", format.field ?? "", String(format.skipsBad), String(isOneText),
            ]
            for source in sources {
                parts += [source.name, source.split?.rawValue ?? ""]
                if case .demo(let seed, let characters) = source.content { parts += ["\(seed)", "\(characters)"] }
                if source.name == CorpusSource.standardInputName {
                    parts.append(keptInputHash)
                    continue
                }
                for path in source.paths {
                    parts += [
                        path, String(try FileSystem.size(ofFile: path)), try FileSystem.modificationTime(of: path),
                    ]
                }
            }
            return Checksum.sha256(of: parts.joined(separator: "\0"))
        }
    }
}
