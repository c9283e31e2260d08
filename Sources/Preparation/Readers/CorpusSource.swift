import Datasets
import Platform

/// What a user names as text: a file, a folder, a pattern, standard input; or the demo corpus.
struct CorpusSource: Equatable, Sendable {
    enum Content: Equatable, Sendable {
        /// One file that was named.
        case file(String)
        /// The files of a folder or pattern, sorted.
        case files([String])
        case standardInput
        case demo(seed: UInt64, characters: Int)
    }

    /// As it was named.
    var name: String
    var content: Content
    /// The split that its documents belong to; nil where that is to be decided.
    var split: Dataset.Split?

    static let standardInputName = "-"

    init(name: String, content: Content, split: Dataset.Split? = nil) {
        self.name = name
        self.content = content
        self.split = split
    }

    /// - Throws: `UserError(.inputOutput)` when nothing is there, or no file in a folder.
    init(named name: String, split: Dataset.Split? = nil) throws {
        self.init(name: name, content: try Self.content(named: name), split: split)
    }

    var paths: [String] {
        switch content {
        case .file(let path): [path]
        case .files(let paths): paths
        case .standardInput, .demo: []
        }
    }

    /// Bytes of its files; 0 where that is not known.
    var byteCount: Int {
        get throws {
            if case .demo(_, let characters) = content { return characters }
            return try paths.reduce(0) { try $0 + FileSystem.size(ofFile: $1) }
        }
    }

    private static func content(named name: String) throws -> Content {
        if name == standardInputName { return .standardInput }
        switch FileSystem.kind(of: name) {
        case .folder:
            let files = try self.files(inFolder: name)
            guard !files.isEmpty else { throw UserError(.data, "the folder \(name) has no files") }
            return .files(files)
        case .file: return .file(name)
        case .other: throw notAFile(name)
        case nil:
            let matches = try self.matches(of: name)
            guard !matches.isEmpty else { throw FileSystem.failure("cannot open", name, ENOENT) }
            return .files(matches)
        }
    }

    private static func notAFile(_ path: String) -> UserError {
        UserError(
            .usage,
            "\(path) is a pipe or a device, and may have to be read more than once: give it by standard input, --input - < \(path)"
        )
    }

    /// All files below a folder, in the order of their paths; hidden ones are left out, and links to a folder above.
    ///
    /// - Parameter above: the folders that led here, links resolved.
    private static func files(inFolder folder: String, above: Set<String> = []) throws -> [String] {
        guard let resolved = realpath(folder, nil) else {
            throw FileSystem.failure("cannot read the folder", folder, errno)
        }
        defer { free(resolved) }
        let own = String(cString: resolved)
        guard !above.contains(own) else { return [] }
        var files: [String] = []
        for name in try FileSystem.names(inFolder: folder) where !name.hasPrefix(".") {
            let path = folder.hasSuffix("/") ? folder + name : folder + "/" + name
            switch FileSystem.kind(of: path) {
            case .folder: files += try self.files(inFolder: path, above: above.union([own]))
            case .file: files.append(path)
            case .other, nil: break
            }
        }
        return files
    }

    /// The files that a shell's pattern stands for, sorted by their bytes.
    private static func matches(of pattern: String) throws -> [String] {
        guard pattern.contains(where: { "*?[".contains($0) }) else { return [] }
        var result = glob_t()
        defer { globfree(&result) }
        guard glob(pattern, GLOB_NOSORT, nil, &result) == 0 else { return [] }
        let paths = (0..<Int(result.gl_pathc)).compactMap { result.gl_pathv[$0].map { String(cString: $0) } }
        return try paths.sorted().flatMap { path -> [String] in
            switch FileSystem.kind(of: path) {
            case .folder: try files(inFolder: path)
            case .other: throw notAFile(path)
            case .file, nil: [path]
            }
        }
    }
}
