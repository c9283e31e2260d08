import Formats
import Platform

/// nanoGPT's meta.pkl: the vocabulary's size and, for characters, which id stands for which.
package struct NanoGPTMeta {
    package static let fileName = "meta.pkl"
    /// nanoGPT's own token files have 16 bits for an id, those of larger vocabularies have 32.
    private static let largestVocabulary = 1 << 20

    package let vocabularySize: Int
    /// Nil where the file maps ids to anything but single characters, or to nothing.
    package let tokenizer: CharacterTokenizer?

    /// - Throws: `UserError(.data)` when the file is no pickle of plain data, has no vocab_size, or its itos does not fit it.
    package init(path: String) throws {
        let meta = try PickleReader.read(path: path)
        guard case .integer(let size)? = meta["vocab_size"], size > 0, size <= Self.largestVocabulary else {
            throw UserError(.data, "\(path) has no vocab_size from 1 to \(Self.largestVocabulary)")
        }
        vocabularySize = size
        guard case .dictionary(let pairs)? = meta["itos"] else {
            tokenizer = nil
            return
        }
        var tokens = [String?](repeating: nil, count: size)
        for pair in pairs {
            guard case .integer(let id) = pair.key, case .string(let token) = pair.value, tokens.indices.contains(id)
            else {
                throw UserError(.data, "\(path): itos does not map ids below vocab_size \(size) to strings")
            }
            tokens[id] = token
        }
        let scalars = tokens.compactMap { token in
            token.flatMap { $0.unicodeScalars.count == 1 ? $0.unicodeScalars.first : nil }
        }
        let areCharacters = scalars.count == size && Set(scalars).count == size
        tokenizer = areCharacters ? CharacterTokenizer(scalars: scalars) : nil
    }
}
