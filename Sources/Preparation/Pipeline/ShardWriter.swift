import Datasets
import Formats
import Platform

/// Writes the tokens of a split to shards of a chosen size: `train_000000.bin`, `train_000001.bin`…, each of which has its name
/// when it is whole.
///
/// After `synchronize`, `state` says what is on disk: a writer that is given it goes on from there, whatever was written since.
final class ShardWriter {
    struct State: Equatable, Sendable {
        /// Shards that are whole.
        var files: [DatasetDescription.File] = []
        /// Tokens of the shard that is not.
        var openTokens = 0
        /// Of the text that the tokens were made of.
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
    ///   - shardSize: tokens of a shard; the last one has fewer.
    ///   - state: where an earlier writer to the same folder stopped.
    /// - Throws: `UserError(.inputOutput)`.
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
        // An earlier run may have been stopped between giving the last name and the folder its place.
        if FileSystem.kind(of: folder + "/" + singleName) != nil {
            try FileSystem.rename(folder + "/" + singleName, to: folder + "/" + Self.shardName(split, 0))
        }
    }

    /// Whether all that a state speaks of is in the folder.
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

    /// - Parameter tokens: as they stand in the file.
    /// - Throws: `UserError(.inputOutput)`, as when the disk is full.
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

    /// Counts text whose tokens were appended.
    func count(textBytes: Int, documents: Int) {
        state.textBytes += textBytes
        state.documents += documents
    }

    func synchronize() throws { try file?.synchronize() }

    /// Finishes the last shard, and names a single one after the split alone.
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
