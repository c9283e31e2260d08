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

    /// - Throws: `UserError(.data)` when the file is no pickle, has no vocab_size, or its itos does not fit it.
    package init(path: String) throws {
        let meta = try PickleReader.read(path: path)
        guard let size = meta["vocab_size"]?.integerValue, size > 0, size <= Self.largestVocabulary else {
            throw UserError(
                .data,
                """
                \(path) has no vocab_size from 1 to \(Self.largestVocabulary): it is \
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

    /// Ids with their tokens: of a dictionary, or of a list, whose places are the ids.
    private static func pairs(_ itos: PickleValue) -> [(id: Int?, token: String?)]? {
        if let elements = itos.elements { return elements.enumerated().map { ($0.offset, $0.element.stringValue) } }
        return itos.pairs?.map { ($0.key.integerValue, $0.value.stringValue) }
    }
}
