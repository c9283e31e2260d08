import Formats

/// Writes tokens to train.bin until its share is there, and the rest to val.bin.
struct SplitWriter {
    private struct Part {
        let name: String
        let file: AtomicFile
        let capacity: Int
        var count = 0
    }

    private let folder: String
    private var parts: [Part]
    private var current = 0
    private var buffer: [UInt16] = []

    /// - Parameter trainCount: tokens of the training split.
    init(folder: String, trainCount: Int) throws {
        self.folder = folder
        parts = try [("train.bin", trainCount), ("val.bin", Int.max)].map { name, capacity in
            Part(name: name, file: try AtomicFile(path: folder + "/" + name), capacity: capacity)
        }
    }

    /// - Parameter ids: below `TokenFile.largestVocabulary`.
    mutating func append(_ ids: [Int32]) throws {
        var rest = ids[...]
        while !rest.isEmpty {
            let piece = rest.prefix(parts[current].capacity - parts[current].count)
            if piece.isEmpty {
                current += 1
                continue
            }
            buffer.removeAll(keepingCapacity: true)
            for id in piece { buffer.append(UInt16(id).littleEndian) }
            try buffer.withUnsafeBytes { try parts[current].file.append($0) }
            parts[current].count += piece.count
            rest = rest.dropFirst(piece.count)
        }
    }

    /// Gives the files their names.
    func commit() throws -> (train: DatasetDescription.File, validation: DatasetDescription.File) {
        let files = try parts.map { part in
            try part.file.commit()
            let hash = try Checksum.sha256(ofFile: folder + "/" + part.name)
            return DatasetDescription.File(name: part.name, tokens: part.count, sha256: hash)
        }
        return (files[0], files[1])
    }
}
