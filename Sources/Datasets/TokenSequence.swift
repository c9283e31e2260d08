import Platform

/// The tokens of a split: one file, several shards in order, or tokens in memory. Every id that it returns is below the
/// vocabulary size.
public struct TokenSequence: Sendable {
    private enum Storage: Sendable {
        case files([TokenFile])
        case memory([Int32])
    }

    /// A description of the tokens for messages, such as the path of the first shard.
    public let source: String
    /// The number of tokens in all shards.
    public let count: Int
    /// All ids are below this number.
    public private(set) var vocabularySize: Int
    /// The position of each shard's first token, in ascending order from 0.
    let shardStarts: [Int]
    private let storage: Storage
    private var vocabularyOrigin: VocabularyOrigin

    /// Where the vocabulary size comes from, for messages.
    enum VocabularyOrigin {
        /// dataset.json, or the caller for tokens in memory.
        case description
        /// meta.pkl, or the tokenizer of llm.c shards.
        case meta
        /// Nothing defines it, so GPT-2's is assumed.
        case assumed
        /// The model, whose vocabulary is smaller than the dataset's.
        case model
    }

    /// Creates a sequence of files. Ids are checked when they are read; `TokenCheck` checks all of them in advance.
    ///
    /// - Parameters:
    ///   - files: the shards in order; empty for a split that does not exist.
    ///   - vocabularySize: all ids must be below this number.
    public init(files: [TokenFile], vocabularySize: Int) {
        self.init(files: files, vocabularySize: vocabularySize, origin: .description)
    }

    init(files: [TokenFile], vocabularySize: Int, origin: VocabularyOrigin) {
        source = (files.first?.path ?? "no file") + (files.count > 1 ? " and \(files.count - 1) more" : "")
        vocabularyOrigin = origin
        var starts: [Int] = []
        var count = 0
        for file in files {
            starts.append(count)
            count += file.count
        }
        self.count = count
        shardStarts = starts
        self.vocabularySize = vocabularySize
        storage = .files(files)
    }

    /// Creates a sequence of tokens in memory.
    ///
    /// - Parameters:
    ///   - tokens: the ids.
    ///   - vocabularySize: all ids must be below this number.
    ///   - source: a description for messages.
    /// - Throws: `UserError(.data)` with position and id if an id is negative or not below `vocabularySize`.
    public init(tokens: [Int32], vocabularySize: Int, source: String = "the tokens") throws {
        self.source = source
        count = tokens.count
        self.vocabularySize = vocabularySize
        vocabularyOrigin = .description
        shardStarts = [0]
        storage = .memory(tokens)
        if let position = tokens.firstIndex(where: { $0 < 0 || $0 >= vocabularySize }) {
            throw beyondVocabulary(source, position: position, id: Int(tokens[position]), likelyMistake: nil)
        }
    }

    /// The number of tokens that can be predicted: all except the first.
    public var targetCount: Int { max(0, count - 1) }

    /// The files of the tokens; empty for tokens in memory.
    var files: [TokenFile] {
        guard case .files(let files) = storage else { return [] }
        return files
    }

    /// The total size of the files in bytes.
    public var byteCount: Int { files.reduce(0) { $0 + $1.byteCount } }

    /// The same tokens for a model with a smaller vocabulary.
    func limited(toVocabulary size: Int) -> TokenSequence {
        var limited = self
        limited.vocabularySize = size
        limited.vocabularyOrigin = .model
        return limited
    }

    /// Copies `count` tokens starting at `position`. After the last token, continues with the first.
    ///
    /// - Parameters:
    ///   - position: in `0..<self.count`.
    ///   - count: the number of tokens.
    ///   - destination: receives the ids. Must have room for `count` ids.
    /// - Throws: `UserError(.data)` with file, position and id if an id is not below the vocabulary size.
    package func copy(from position: Int, count: Int, into destination: UnsafeMutablePointer<Int32>) throws {
        precondition(position >= 0 && position < self.count, "token \(position) of \(self.count)")
        var position = position
        var done = 0
        while done < count {
            let rest = count - done
            let copied: Int
            switch storage {
            case .files(let files):
                let shard = shard(at: position)
                let (file, start) = (files[shard], position - shardStarts[shard])
                copied = min(rest, file.count - start)
                let largest = file.copy(from: start, count: copied, into: destination + done)
                if largest >= vocabularySize { try check(file, start..<start + copied) }
            case .memory(let tokens):
                copied = min(rest, tokens.count - position)
                tokens.withUnsafeBufferPointer {
                    (destination + done).update(from: $0.baseAddress! + position, count: copied)
                }
            }
            done += copied
            position = (position + copied) % self.count
        }
    }

    /// The parts of shards that hold `count` tokens from `position` on. The sequence wraps around, as for `copy`.
    func parts(from position: Int, count: Int) -> [(shard: Int, range: Range<Int>)] {
        var parts: [(shard: Int, range: Range<Int>)] = []
        var (position, rest) = (position, count)
        while rest > 0 {
            let shard = shard(at: position)
            let end = shard + 1 < shardStarts.count ? shardStarts[shard + 1] : self.count
            let taken = min(rest, end - position)
            let first = position - shardStarts[shard]
            parts.append((shard, first..<first + taken))
            position = (position + taken) % self.count
            rest -= taken
        }
        return parts
    }

    /// The index of the shard that contains a position.
    func shard(at position: Int) -> Int {
        // Search for the last shard that starts at or before the position.
        var (low, high) = (0, shardStarts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if shardStarts[middle] <= position { low = middle } else { high = middle }
        }
        return low
    }

    /// - Throws: `UserError(.data)` with file, position and id if an id in the range is not below the vocabulary size.
    func check(_ file: TokenFile, _ range: Range<Int>) throws {
        guard let found = file.firstPosition(beyond: vocabularySize, in: range) else { return }
        let mistake = file.likelyMistake(vocabularySize: vocabularySize)
        throw beyondVocabulary(file.path, position: found.position, id: found.id, likelyMistake: mistake)
    }

    private func beyondVocabulary(_ path: String, position: Int, id: Int, likelyMistake: String?) -> UserError {
        let reason =
            switch vocabularyOrigin {
            case .model:
                """
                the model was trained on other tokens; use its dataset, or prepare this one with its tokenizer
                """
            case .meta where likelyMistake != nil, .assumed where likelyMistake != nil:
                """
                the file looks like \(likelyMistake!); write it as little-endian uint16, or save it with `numpy.save` \
                and write vocab_size to a meta.pkl beside it
                """
            case .assumed:
                "GPT-2's is assumed, as there is no meta.pkl; write one with vocab_size, or prepare the dataset again"
            case .meta, .description: "tokens and tokenizer do not match; prepare the dataset again"
            }
        let owner = vocabularyOrigin == .model ? "the model's vocabulary" : "the vocabulary"
        return UserError(
            .data,
            "\(path): token \(position) has the id \(id), beyond \(owner) of \(vocabularySize): \(reason)"
        )
    }
}
