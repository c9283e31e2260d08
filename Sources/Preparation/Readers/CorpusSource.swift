import Datasets
import Platform

/// One input: a file, a folder, a glob pattern, standard input, or the demo corpus.
struct CorpusSource: Equatable, Sendable {
    enum Content: Equatable, Sendable {
        /// A file that the user named.
        case file(CorpusFile)
        /// The files of a folder or pattern, sorted.
        case files([CorpusFile])
        case standardInput
        case demo(seed: UInt64, characters: Int)
    }

    /// The name that the user passed.
    var name: FilePath
    var content: Content
    /// The split of all its documents, or nil if each document is assigned to a split later.
    var split: Dataset.Split?

    static let standardInputName: FilePath = "-"

    init(name: FilePath, content: Content, split: Dataset.Split? = nil) {
        self.name = name
        self.content = content
        self.split = split
    }

    /// - Throws: `UserError(.inputOutput)` if nothing exists at the path, `UserError(.data)` if a folder has no files.
    init(named name: FilePath, split: Dataset.Split? = nil) throws {
        self.init(name: name, content: try Self.content(named: name), split: split)
    }

    var files: [CorpusFile] {
        switch content {
        case .file(let file): [file]
        case .files(let files): files
        case .standardInput, .demo: []
        }
    }

    /// The total size of the files in bytes, or 0 if it is not known.
    var byteCount: Int {
        if case .demo(_, let characters) = content { return characters }
        return files.reduce(0) { $0 + $1.info.size }
    }

    private static func content(named name: FilePath) throws -> Content {
        if name == standardInputName { return .standardInput }
        let file: CorpusFile
        do {
            file = try CorpusFile(name)
        } catch {
            let matches = try self.matches(of: name)
            guard !matches.isEmpty else { throw error }
            return .files(try matches.flatMap { try files(below: $0) })
        }
        switch file.info.kind {
        case .folder:
            let files = try self.files(below: name)
            guard !files.isEmpty else { throw UserError(.data, "the folder \(name) has no files") }
            return .files(files)
        case .file: return .file(file)
        case .other: throw notAFile(name)
        }
    }

    private static func notAFile(_ path: FilePath) -> UserError {
        UserError(
            .usage,
            "\(path) is a pipe or a device, which cannot be read twice; pass it as standard input: --input - < \(path)"
        )
    }

    /// Returns the file at a path, or all files below a folder in the order of their names. Skips hidden files, and
    /// links to a parent folder.
    ///
    /// - Throws: `UserError` if a file or folder cannot be read, or is a pipe or a device.
    private static func files(below path: FilePath) throws -> [CorpusFile] {
        var files: [CorpusFile] = []
        var pending: [(path: FilePath, above: [FileInfo.Identity])] = [(path, [])]
        while let (path, above) = pending.popLast() {
            let file = try CorpusFile(path)
            switch file.info.kind {
            case .file: files.append(file)
            case .other: throw notAFile(path)
            case .folder:
                guard !above.contains(file.info.identity) else { continue }
                let above = above + [file.info.identity]
                for name in try FileSystem.names(inFolder: path).reversed() where !name.isHidden {
                    pending.append((path.appending(name), above))
                }
            }
        }
        return files
    }

    /// Returns the paths that match a glob pattern, in ascending order.
    ///
    /// - Throws: `UserError(.inputOutput)` if a folder cannot be read.
    private static func matches(of pattern: FilePath) throws -> [FilePath] {
        guard pattern.bytes.contains(where: { "*?[".utf8.contains($0) }) else { return [] }
        var result = glob_t()
        defer { globfree(&result) }
        let text = pattern.bytes.map { CChar(bitPattern: $0) } + [0]
        // Paths that do not exist are ignored, but a folder that cannot be read is an error.
        let code = glob(text, GLOB_NOSORT, { _, code in code == ENOENT || code == ENOTDIR ? 0 : 1 }, &result)
        guard code != GLOB_ABORTED else { throw FileSystem.failure("cannot read the folders of", pattern, errno) }
        guard code == 0 else { return [] }
        return (0..<Int(result.gl_pathc)).compactMap { result.gl_pathv[$0].map { FilePath(cString: $0) } }.sorted()
    }
}

/// A text file, with its size and modification time when the corpus was created.
struct CorpusFile: Equatable, Sendable {
    let path: FilePath
    let info: FileInfo

    /// - Throws: `UserError(.inputOutput)` if nothing exists at the path.
    init(_ path: FilePath) throws {
        self.path = path
        info = try FileInfo(of: path)
    }

    /// Rejects a file that changed since the corpus was created, because earlier counts of its text are no longer
    /// valid.
    ///
    /// - Parameters:
    ///   - byteCount: The number of bytes that were read.
    ///   - now: The size and modification time after reading.
    /// - Throws: `UserError(.data)` if the file changed.
    func checkUnchanged(byteCount: Int, now: FileInfo) throws {
        // Files such as those in /proc have size 0 but contain text.
        if info.size == 0, now.size == 0 { return }
        if byteCount != info.size || now.size != info.size {
            throw changed("its size changed from \(info.size) to \(max(byteCount, now.size)) bytes")
        }
        guard now.modificationTime == info.modificationTime else {
            throw changed("its \(info.size) bytes were rewritten")
        }
    }

    private func changed(_ how: String) -> UserError {
        UserError(
            .data,
            "\(path) changed while it was read: \(how); run the command again when no program writes to it"
        )
    }
}
