import Datasets
import Platform
import Tokenizers

extension Dataset {
    /// Token ids mean nothing to a model that learned those of another tokenizer.
    ///
    /// - Throws: `UserError(.data)` when both tokenizers are known and differ.
    func checkTokenizer(against other: (any Tokenizer)?, of model: String) throws {
        guard let other, let tokenizer, TokenizerFile.hash(of: other) != TokenizerFile.hash(of: tokenizer) else {
            return
        }
        throw UserError(
            .data,
            """
            the tokenizer of \(model) (\(other.name), \(other.vocabularySize) tokens) is not that of the data set \(name) \
            (\(tokenizer.name), \(tokenizer.vocabularySize)): choose the data that the model was trained on
            """
        )
    }
}
