import Formats
import Platform

/// The contents of nanoGPT's meta.pkl: the size of the vocabulary and, for character datasets, the character of each
/// id.
package struct NanoGPTMeta {
    package static let fileName = "meta.pkl"
    /// The largest vocab_size that is accepted. Token files have 16 bits per id, or 32 bits for larger vocabularies.
    private static let largestVocabulary = 1 << 20

    package let vocabularySize: Int
    /// Nil if the file has no mapping from ids to characters, or maps an id to anything other than one character.
    package let tokenizer: CharacterTokenizer?

    /// - Throws: `UserError(.data)` if the file is not a pickle, has no valid vocab_size, or has an itos that does not
    ///   match vocab_size.
    package init(path: String) throws {
        let meta = try PickleReader.read(path: path)
        guard let size = meta["vocab_size"]?.integerValue, size > 0, size <= Self.largestVocabulary else {
            throw UserError(
                .data,
                """
                \(path): vocab_size must be a whole number from 1 to \(Self.largestVocabulary), but it is \
                \(meta["vocab_size"].map { "\($0)" } ?? "missing")
                """
            )
        }
        vocabularySize = size
        guard let pairs = meta["itos"].flatMap(Self.pairs) else {
            tokenizer = nil
            return
        }
        var tokens = [String?](repeating: nil, count: size)
        for (id, token) in pairs {
            guard let id, tokens.indices.contains(id), let token else {
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

    /// Returns the ids and tokens of a dictionary, or of a list, in which each token's index is its id.
    private static func pairs(_ itos: PickleValue) -> [(id: Int?, token: String?)]? {
        if let elements = itos.elements { return elements.enumerated().map { ($0.offset, $0.element.stringValue) } }
        return itos.pairs?.map { ($0.key.integerValue, $0.value.stringValue) }
    }
}
