import Datasets
import Formats
import Platform

/// Writes the tokens of a split to shards of a fixed size: `train_000000.bin`, `train_000001.bin` and so on. A shard
/// gets its name when it is complete.
///
/// After `synchronize`, `state` describes the files on disk. A new writer with this state continues from there and
/// discards tokens that were written later.
final class ShardWriter {
    struct State: Equatable, Sendable {
        /// The complete shards.
        var files: [DatasetDescription.File] = []
        /// The number of tokens in the incomplete shard.
        var openTokens = 0
        /// The length in bytes of the text of these tokens.
        var textBytes = 0
        var documents = 0

        var tokens: Int { files.reduce(openTokens) { $0 + $1.tokens } }
    }

    private(set) var state: State
    private let folder: String
    private let split: Dataset.Split
    private let shardSize: Int
    private let elementType: TokenFile.ElementType
    private var file: GrowingFile?

    /// - Parameters:
    ///   - shardSize: The number of tokens per shard. The last shard can have fewer.
    ///   - state: The state of an earlier writer to the same folder, or an empty state.
    /// - Throws: `UserError(.inputOutput)` if a file cannot be renamed.
    init(
        folder: String,
        split: Dataset.Split,
        shardSize: Int,
        elementType: TokenFile.ElementType,
        state: State
    ) throws {
        self.folder = folder
        self.split = split
        self.shardSize = shardSize
        self.elementType = elementType
        self.state = state
        // An earlier run may have stopped after it renamed a single shard and before it renamed the folder.
        if FileSystem.kind(of: folder + "/" + singleName) != nil {
            try FileSystem.rename(folder + "/" + singleName, to: folder + "/" + Self.shardName(split, 0))
        }
    }

    /// Whether the folder has all tokens of a state.
    static func isComplete(
        _ state: State,
        folder: String,
        split: Dataset.Split,
        elementType: TokenFile.ElementType
    ) -> Bool {
        func size(_ name: String) -> Int { (try? FileSystem.size(ofFile: folder + "/" + name)) ?? 0 }
        let width = elementType.byteCount
        let single = size(split.rawValue + ".bin")
        let areWhole = state.files.allSatisfy { size($0.name) == $0.tokens * width }
        let open = shardName(split, state.files.count)
        return areWhole && max(size(open), size(open + ".partial")) >= state.openTokens * width
            || state.files.count + min(state.openTokens, 1) == 1 && single >= state.tokens * width
    }

    /// - Parameter tokens: Tokens in the format of the file.
    /// - Throws: `UserError(.inputOutput)` if the file cannot be written, for example because the disk is full.
    func append(_ tokens: UnsafeRawBufferPointer) throws {
        let width = elementType.byteCount
        var rest = tokens
        while !rest.isEmpty {
            let file = try openFile()
            let count = min(rest.count, (shardSize - state.openTokens) * width)
            try file.append(UnsafeRawBufferPointer(rebasing: rest[..<count]))
            state.openTokens += count / width
            if state.openTokens == shardSize { try finishShard() }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// Adds to the counts of text whose tokens were appended.
    func count(textBytes: Int, documents: Int) {
        state.textBytes += textBytes
        state.documents += documents
    }

    func synchronize() throws { try file?.synchronize() }

    /// Completes the last shard. A single shard gets the name of the split without a number.
    func finish() throws {
        if state.openTokens > 0 { try finishShard() }
        guard state.files.count == 1, state.files[0].name != singleName else { return }
        try FileSystem.rename(folder + "/" + state.files[0].name, to: folder + "/" + singleName)
        state.files[0].name = singleName
    }

    private var singleName: String { split.rawValue + ".bin" }

    private var shardName: String { Self.shardName(split, state.files.count) }

    private static func shardName(_ split: Dataset.Split, _ index: Int) -> String {
        "\(split.rawValue)_\(String(index).zeroPadded(to: 6)).bin"
    }

    private func openFile() throws -> GrowingFile {
        if let file { return file }
        let opened = try GrowingFile(
            path: folder + "/" + shardName,
            length: state.openTokens * elementType.byteCount
        )
        file = opened
        return opened
    }

    private func finishShard() throws {
        let path = folder + "/" + shardName
        try openFile().commit()
        file = nil
        state.files.append(
            .init(
                name: FileSystem.lastComponent(of: path),
                tokens: state.openTokens,
                sha256: try Checksum.sha256(ofFile: path)
            )
        )
        state.openTokens = 0
    }
}
