import Datasets
import Platform

/// What a user names as text: a file, a folder, a pattern, standard input; or the demo corpus.
struct CorpusSource: Equatable, Sendable {
    enum Content: Equatable, Sendable {
        /// One file that was named.
        case file(CorpusFile)
        /// The files of a folder or pattern, sorted.
        case files([CorpusFile])
        case standardInput
        case demo(seed: UInt64, characters: Int)
    }

    /// As it was named.
    var name: FilePath
    var content: Content
    /// The split that its documents belong to; nil where that is to be decided.
    var split: Dataset.Split?

    static let standardInputName: FilePath = "-"

    init(name: FilePath, content: Content, split: Dataset.Split? = nil) {
        self.name = name
        self.content = content
        self.split = split
    }

    /// - Throws: `UserError(.inputOutput)` when nothing is there, or no file in a folder.
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

    /// Bytes of its files; 0 where that is not known.
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
            "\(path) is a pipe or a device, and may have to be read more than once: give it by standard input, --input - < \(path)"
        )
    }

    /// The file at a path, or all files below a folder, in the order of their names; hidden ones are left out, and links to
    /// a folder above.
    ///
    /// - Throws: `UserError` for what cannot be read: nothing else is left out.
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

    /// What a shell's pattern stands for, sorted.
    ///
    /// - Throws: `UserError(.inputOutput)` where a folder of the pattern cannot be read.
    private static func matches(of pattern: FilePath) throws -> [FilePath] {
        guard pattern.bytes.contains(where: { "*?[".utf8.contains($0) }) else { return [] }
        var result = glob_t()
        defer { globfree(&result) }
        let text = pattern.bytes.map { CChar(bitPattern: $0) } + [0]
        // Folders that do not fit the rest of the pattern are no fault; ones that cannot be read are.
        let code = glob(text, GLOB_NOSORT, { _, code in code == ENOENT || code == ENOTDIR ? 0 : 1 }, &result)
        guard code != GLOB_ABORTED else { throw FileSystem.failure("cannot read the folders of", pattern, errno) }
        guard code == 0 else { return [] }
        return (0..<Int(result.gl_pathc)).compactMap { result.gl_pathv[$0].map { FilePath(cString: $0) } }.sorted()
    }
}

/// A file of text, as it was when it was found.
struct CorpusFile: Equatable, Sendable {
    let path: FilePath
    let info: FileInfo

    /// - Throws: `UserError(.inputOutput)` when nothing is there.
    init(_ path: FilePath) throws {
        self.path = path
        info = try FileInfo(of: path)
    }

    /// Refuses a file that changed: parts of its text that were counted before are no longer what is read.
    ///
    /// - Parameters:
    ///   - byteCount: bytes that were read of it.
    ///   - now: what the system says about it after that.
    /// - Throws: `UserError(.data)`.
    func checkUnchanged(byteCount: Int, now: FileInfo) throws {
        // Some systems' files have no size.
        if info.size == 0, now.size == 0 { return }
        if byteCount != info.size || now.size != info.size {
            throw changed("it had \(info.size) bytes at first, and has \(max(byteCount, now.size)) now")
        }
        guard now.modificationTime == info.modificationTime else {
            throw changed("its \(info.size) bytes were written again")
        }
    }

    private func changed(_ how: String) -> UserError {
        UserError(.data, "\(path) changed while it was read: \(how); run the same command once nothing writes to it")
    }
}
