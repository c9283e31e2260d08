import Compute
import Formats
import Platform
import Synchronization

/// Hashes of blocks of a dataset's files.
public struct DataHashes: Sendable {
    /// CRC-32C of each block.
    public let blocks: [UInt32]
    /// Whether each file has the SHA-256 that dataset.json says; empty without one, or where files were not read whole.
    public let matchesRecord: [Bool]

    /// Reads the blocks by calls, so that a failing disk is an error.
    ///
    /// - Parameters:
    ///   - isWhole: whether the blocks are all bytes, so that files are compared with dataset.json, too.
    ///   - worked: called after every block, from any thread of the pool.
    ///   - progress: told the share that is done, on the caller's thread.
    /// - Throws: `UserError(.inputOutput)` when a file cannot be read; `UserError(.data)` when it is shorter than it was.
    public init(
        _ blocks: DataBlocks,
        of dataset: Dataset,
        isWhole: Bool,
        pool: WorkerPool,
        worked: () -> Void,
        progress: (Double) -> Void
    ) throws {
        let files = dataset.files
        if !isWhole { Self.prefetch(blocks, of: files) }
        let parts = Self.parts(blocks.blocks, fileCount: files.count)
        let total = blocks.byteCount
        let done = Atomic<Int>(0)
        let found = UnsafeMutableBufferPointer<Result<FileHashes, any Error>>.allocate(capacity: files.count)
        defer { found.deallocate() }
        pool.run(files.count) { file, worker in
            let hashes = Result {
                try FileHashes(of: files[file].path, blocks.blocks[parts[file]], isWhole && dataset.hasRecord) {
                    bytes in
                    worked()
                    done.add(bytes, ordering: .relaxed)
                    if worker == 0 { progress(Double(done.load(ordering: .relaxed)) / Double(total)) }
                }
            }
            found.initializeElement(at: file, to: hashes)
        }
        defer { found.deinitialize() }
        let hashes = try found.map { try $0.get() }
        self.blocks = hashes.flatMap(\.blocks)
        matchesRecord = isWhole ? zip(hashes, dataset.recordedHashes).map { $0.sha256 == $1 } : []
    }

    private struct FileHashes {
        var blocks: [UInt32] = []
        var sha256: String?

        /// - Parameter hashesAll: whether the blocks are the whole file, whose SHA-256 is wanted.
        init(
            of path: String,
            _ parts: ArraySlice<DataBlocks.Block>,
            _ hashesAll: Bool,
            done: (_ bytes: Int) -> Void
        ) throws {
            let file = try OpenedFile(path: path)
            let memory = UnsafeMutableRawBufferPointer.allocate(
                byteCount: parts.map(\.range.count).max() ?? 0,
                alignment: 64
            )
            defer { memory.deallocate() }
            var all = RunningChecksum()
            for part in parts {
                let bytes = UnsafeMutableRawBufferPointer(rebasing: memory[..<part.range.count])
                try file.fill(bytes, from: part.range.lowerBound)
                blocks.append(Checksum.crc32c(of: UnsafeRawBufferPointer(bytes)))
                if hashesAll { all.update(UnsafeRawBufferPointer(bytes)) }
                done(bytes.count)
            }
            if hashesAll { sha256 = all.text }
        }
    }

    /// The indices of each file's blocks.
    private static func parts(_ blocks: [DataBlocks.Block], fileCount: Int) -> [Range<Int>] {
        var parts: [Range<Int>] = []
        for file in 0..<fileCount {
            let start = parts.last?.upperBound ?? 0
            parts.append(start..<(blocks[start...].firstIndex { $0.file != file } ?? blocks.count))
        }
        return parts
    }

    /// Lets the system read all blocks at once, in place of one after the other: blocks without a gap in one piece.
    private static func prefetch(_ blocks: DataBlocks, of files: [TokenFile]) {
        var run: DataBlocks.Block?
        for block in blocks.blocks {
            if let last = run, last.file == block.file, last.range.upperBound == block.range.lowerBound {
                run = .init(file: block.file, range: last.range.lowerBound..<block.range.upperBound)
                continue
            }
            if let last = run { files[last.file].prefetch(bytes: last.range) }
            run = block
        }
        if let last = run { files[last.file].prefetch(bytes: last.range) }
    }
}

extension Dataset {
    /// Whether dataset.json has the hashes of the files.
    public var hasRecord: Bool { !recordedHashes.isEmpty }
    /// Bytes of the files of all splits.
    public var byteCount: Int { train.byteCount + validation.byteCount }

    /// The files of all splits by name and size, and by the beginning of the hash that dataset.json has: a line each.
    public var listing: [String] {
        files.enumerated().map { number, file in
            let hash = hasRecord ? " with the SHA-256 \(recordedHashes[number].prefix(12))" : ""
            return "\(FileSystem.lastComponent(of: file.path)) of \(file.byteCount) bytes\(hash)"
        }
    }

    /// The name of one of the files of `DataBlocks`, for messages: `mine/train.bin`.
    public func fileName(_ file: Int) -> String { name + "/" + FileSystem.lastComponent(of: files[file].path) }

    /// What is wrong with one of the files of `DataBlocks` that does not match dataset.json.
    public func recordMismatch(_ file: Int) -> UserError {
        UserError(
            .data,
            """
            \(files[file].path) is not the file that `ddp-train prepare` wrote: its SHA-256 differs from the one in \
            \(DatasetDescription.fileName); copy it again, or prepare the dataset again
            """
        )
    }
}
