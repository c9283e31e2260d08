import Formats

/// The tokens of one split of a data set, in order. Every id that leaves it is below the vocabulary's size.
public struct TokenSequence: Sendable {
    private enum Storage: Sendable {
        case file(TokenFile)
        case memory([Int32])
    }

    /// What the tokens are, for messages: a path.
    public let source: String
    public let count: Int
    public let vocabularySize: Int
    private let storage: Storage

    /// Files up to this many tokens are checked as a whole when they are opened; longer ones as they are read.
    private static let checkedAtOnce = 1 << 26

    /// - Throws: `UserError(.data)` naming file, position and id when an id is beyond the vocabulary.
    public init(file: TokenFile, vocabularySize: Int) throws {
        self.init(unchecked: file, vocabularySize: vocabularySize)
        if count <= Self.checkedAtOnce { try check(0..<count) }
    }

    /// A file whose ids are checked only as they are read.
    init(unchecked file: TokenFile, vocabularySize: Int) {
        source = file.path
        count = file.count
        self.vocabularySize = vocabularySize
        storage = .file(file)
    }

    /// Tokens in memory.
    ///
    /// - Throws: `UserError(.data)` naming position and id when an id is beyond the vocabulary.
    public init(tokens: [Int32], vocabularySize: Int, source: String = "the tokens") throws {
        self.source = source
        count = tokens.count
        self.vocabularySize = vocabularySize
        storage = .memory(tokens)
        if let position = tokens.firstIndex(where: { $0 < 0 || $0 >= vocabularySize }) {
            throw beyondVocabulary(position: position, id: Int(tokens[position]))
        }
    }

    /// Copies `count` tokens from `position` on. The sequence is a ring: after the last token comes the first.
    ///
    /// - Parameters:
    ///   - position: in `0..<self.count`.
    ///   - destination: room for `count` ids.
    /// - Throws: `UserError(.data)` naming file, position and id when an id is beyond the vocabulary.
    public func copy(from position: Int, count: Int, into destination: UnsafeMutablePointer<Int32>) throws {
        precondition(position >= 0 && position < self.count, "token \(position) of \(self.count)")
        var position = position
        var done = 0
        while done < count {
            let piece = min(count - done, self.count - position)
            switch storage {
            case .file(let file):
                let largest = file.copy(from: position, count: piece, into: destination + done)
                if largest >= vocabularySize { try check(position..<position + piece) }
            case .memory(let tokens):
                tokens.withUnsafeBufferPointer {
                    (destination + done).update(from: $0.baseAddress! + position, count: piece)
                }
            }
            done += piece
            position = 0
        }
    }

    private func check(_ range: Range<Int>) throws {
        guard case .file(let file) = storage,
            let found = file.firstPosition(beyond: vocabularySize, in: range)
        else { return }
        throw beyondVocabulary(position: found.position, id: found.id)
    }

    private func beyondVocabulary(position: Int, id: Int) -> UserError {
        UserError(
            .data,
            """
            \(source): token \(position) has the id \(id), beyond the vocabulary of \(vocabularySize): \
            tokens and tokenizer do not belong together; prepare the data set again
            """
        )
    }
}
