import Datasets
import Platform
import Transformer

extension Dataset {
    /// The document boundaries that attention does not cross with `document_mask`.
    ///
    /// - Throws: `UserError(.usage)` when no token is known to end a document.
    public func documentBoundaries() throws -> DocumentBoundaries {
        if let endOfText { return DocumentBoundaries(endOfText: endOfText) }
        let tokenizer = tokenizer.map { "its tokenizer (\($0.name)) has no" } ?? "without a tokenizer it has no known"
        throw UserError(
            .usage,
            """
            document_mask=true: data set \(name) cannot tell documents apart, as \(tokenizer) end-of-text token; leave \
            document_mask out, or prepare the text with a BPE tokenizer
            """
        )
    }
}
