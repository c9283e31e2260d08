import Platform

/// The tokens of one split of a dataset, in order: one file, or shards one after the other. Every id that leaves it is below
/// the vocabulary's size.
public struct TokenSequence: Sendable {
    private enum Storage: Sendable {
        case files([TokenFile])
        case memory([Int32])
    }

    /// What the tokens are, for messages: a path, of the first shard where there are several.
    public let source: String
    /// Tokens in all shards together.
    public let count: Int
    /// Ids are below it.
    public private(set) var vocabularySize: Int
    /// Where each shard starts, ascending from 0.
    let shardStarts: [Int]
    private let storage: Storage
    private var vocabularyOrigin: VocabularyOrigin

    /// Where the vocabulary's size comes from, for messages.
    enum VocabularyOrigin {
        /// dataset.json's, or that of tokens in memory.
        case description
        /// meta.pkl's, or that of the tokenizer that llm.c's shards are of.
        case meta
        /// Nothing says what it is, so that GPT-2's is assumed.
        case assumed
        /// The model's, which is smaller than what the dataset allows.
        case model
    }

    /// Mapped files, which are checked as they are read: see `TokenCheck` for all at once.
    ///
    /// - Parameter files: none for a split that a dataset does not have.
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

    /// Tokens in memory.
    ///
    /// - Throws: `UserError(.data)` naming position and id when an id is beyond the vocabulary.
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

    /// Tokens that have one before them, from which they can be predicted.
    public var targetCount: Int { max(0, count - 1) }

    /// The files that the tokens are in; none for tokens in memory.
    var files: [TokenFile] {
        guard case .files(let files) = storage else { return [] }
        return files
    }

    /// Bytes of the files.
    public var byteCount: Int { files.reduce(0) { $0 + $1.byteCount } }

    /// The same tokens for a model that knows fewer.
    func limited(toVocabulary size: Int) -> TokenSequence {
        var limited = self
        limited.vocabularySize = size
        limited.vocabularyOrigin = .model
        return limited
    }

    /// Copies `count` tokens from `position` on. The sequence is a ring: after the last token comes the first.
    ///
    /// - Parameters:
    ///   - position: in `0..<self.count`.
    ///   - destination: room for `count` ids.
    /// - Throws: `UserError(.data)` naming file, position and id when an id is beyond the vocabulary.
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

    /// The parts of shards that `count` tokens from `position` on lie in. The sequence is a ring, as for `copy`.
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

    /// The shard that holds a position.
    func shard(at position: Int) -> Int {
        // The last one that starts at or before it.
        var (low, high) = (0, shardStarts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if shardStarts[middle] <= position { low = middle } else { high = middle }
        }
        return low
    }

    /// - Throws: `UserError(.data)` naming file, position and id when an id in the range is beyond the vocabulary.
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
                it was trained on other tokens; use the data set it was trained on, or prepare this one with its tokenizer
                """
            case .meta where likelyMistake != nil, .assumed where likelyMistake != nil:
                """
                the file looks like \(likelyMistake!); write it as little-endian uint16, or save it with `numpy.save` and name \
                vocab_size in a meta.pkl beside it
                """
            case .assumed:
                "GPT-2's is assumed, as there is no meta.pkl; write one with vocab_size, or prepare the dataset again"
            case .meta, .description: "tokens and tokenizer do not belong together; prepare the dataset again"
            }
        let owner = vocabularyOrigin == .model ? "the model's vocabulary" : "the vocabulary"
        return UserError(
            .data,
            "\(path): token \(position) has the id \(id), beyond \(owner) of \(vocabularySize): \(reason)"
        )
    }
}
