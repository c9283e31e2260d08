import Compute
import Formats
import Platform

/// Reads every id of a dataset before training starts and finds the first id that is not below the vocabulary size.
///
/// The largest id of each file is saved in `checked.json` in the dataset's folder, with the file's size, modification
/// time and fingerprint. The next check reads only files that changed, whatever the vocabulary. Ids are checked again
/// when they are read for a batch, in case a file changes later.
public struct TokenCheck {
    package static let fileName = "checked.json"
    private static let format = "ddp-train token check"

    /// If fewer bytes had to be read, no `checked.json` is written, because reading them again is faster.
    public static let smallestRemembered = 1 << 26
    /// The number of tokens per task, which takes a few milliseconds.
    private static let tile = 1 << 22

    /// The result for one file.
    private struct Finding: Equatable {
        let name: String
        let bytes: Int
        let modified: String
        let fingerprint: String
        var largestID: Int?

        init(_ file: TokenFile) throws {
            name = FileSystem.lastComponent(of: file.path)
            bytes = file.byteCount
            modified = try FileSystem.modificationTime(of: file.path)
            fingerprint = file.fingerprint
        }

        init?(_ json: JSONValue) {
            guard let name = json["name"]?.stringValue, let bytes = json["bytes"]?.integerValue,
                let modified = json["modified"]?.stringValue, let fingerprint = json["fingerprint"]?.stringValue,
                let largestID = json["largest_id"]?.integerValue
            else { return nil }
            (self.name, self.bytes, self.modified, self.fingerprint) = (name, bytes, modified, fingerprint)
            self.largestID = largestID
        }

        var json: JSONValue {
            .object([
                .init("name", .string(name)), .init("bytes", .integer(bytes)), .init("modified", .string(modified)),
                .init("fingerprint", .string(fingerprint)),
                .init("largest_id", largestID.map { .integer($0) } ?? .null),
            ])
        }

        func isOfSameFile(as other: Finding) -> Bool {
            var other = other
            other.largestID = largestID
            return self == other
        }
    }

    /// The number of bytes that were read. Files in `checked.json` are not read.
    public private(set) var readBytes = 0

    /// Checks all ids of both splits.
    ///
    /// - Parameters:
    ///   - dataset: the dataset to check.
    ///   - pool: the threads that read.
    ///   - smallestRemembered: `checked.json` is written if at least this many bytes had to be read. A folder that is
    ///     not writable is not an error.
    ///   - progress: receives the share of the bytes that are done, 0 to 1, on the caller's thread.
    /// - Throws: `UserError(.data)` with file, position and id if an id is not below the vocabulary size,
    ///   `UserError(.inputOutput)` if a file does not exist any more.
    @discardableResult
    public init(
        _ dataset: Dataset,
        pool: WorkerPool,
        smallestRemembered: Int = TokenCheck.smallestRemembered,
        progress: (Double) -> Void = { _ in }
    ) throws {
        let splits = Dataset.Split.allCases.map { dataset.sequence(of: $0) }
        let files = splits.flatMap(\.files)
        var findings = try files.map { try Finding($0) }
        let recordPath = dataset.path + "/" + Self.fileName
        let known = Self.loadFindings(recordPath)
        for index in findings.indices {
            findings[index].largestID = known.first { $0.isOfSameFile(as: findings[index]) }?.largestID
        }
        let unread = files.indices.filter { findings[$0].largestID == nil }
        let total = unread.reduce(0) { $0 + files[$1].byteCount }
        for index in unread {
            findings[index].largestID = Self.largestID(in: files[index], pool: pool) { bytes in
                readBytes += bytes
                progress(Double(readBytes) / Double(total))
            }
        }
        for (sequence, ownFirst) in zip(splits, [0, splits[0].files.count]) {
            for (index, file) in sequence.files.enumerated()
            where findings[ownFirst + index].largestID ?? 0 >= sequence.vocabularySize {
                try sequence.check(file, 0..<file.count)
            }
        }
        guard total >= smallestRemembered else { return }
        let record = JSONValue.object([
            .init("format", .string(Self.format)), .init("version", .integer(1)),
            .init("files", .array(findings.map(\.json))),
        ])
        try? AtomicFile.write(record.text(pretty: true), to: recordPath)
    }

    /// The results in `checked.json`; empty if the file does not exist or is not valid.
    private static func loadFindings(_ path: String) -> [Finding] {
        guard FileSystem.kind(of: path) == .file, let json = try? JSONValue(ofFile: path),
            json["format"] == .string(format), json["version"] == .integer(1)
        else { return [] }
        return (json["files"]?.arrayValue ?? []).compactMap { Finding($0) }
    }

    /// - Parameter progress: receives the number of bytes read since the last call.
    private static func largestID(in file: TokenFile, pool: WorkerPool, progress: (Int) -> Void) -> Int {
        var largest = 0
        // Process a few tiles per worker at a time, to report progress in between.
        let round = 4 * tile * pool.threadCount
        for start in stride(from: 0, to: file.count, by: round) {
            let end = min(start + round, file.count)
            let count = (end - start + tile - 1) / tile
            let found = UnsafeMutableBufferPointer<Int>.allocate(capacity: count)
            defer { found.deallocate() }
            pool.run(count) { task, _ in
                let first = start + task * tile
                let range = first..<min(first + tile, end)
                found.initializeElement(at: task, to: file.largestID(in: range))
                file.release(range)
            }
            largest = max(largest, found.max() ?? 0)
            progress((end - start) * file.form.type.byteCount)
        }
        return largest
    }
}
