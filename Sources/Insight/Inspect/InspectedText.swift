import Platform
import Transformer

/// The text on which a model is inspected: T input tokens and the T tokens that follow each of them.
package struct InspectedText: Equatable, Sendable {
    /// T ids.
    package let tokens: [Int32]
    /// T ids: the token after each input token.
    package let targets: [Int32]
    /// A description of the text for the reader of the page.
    package let source: String
    /// The number of tokens in the whole text; `tokens` are the first ones.
    package let available: Int

    /// The default for T.
    package static let defaultCount = 64

    /// Takes the first tokens of a text.
    ///
    /// - Parameters:
    ///   - ids: the whole text.
    ///   - count: T, at most the block size.
    /// - Throws: `UserError(.data)` if the text has fewer than two tokens.
    package init(ids: [Int32], count: Int, source: String) throws {
        guard ids.count >= 2 else {
            let found = ids.isEmpty ? "is empty" : "is a single token"
            throw UserError(.data, "\(source) \(found): inspect needs at least two, one as input and one to predict")
        }
        let count = min(count, ids.count - 1)
        tokens = Array(ids[..<count])
        targets = Array(ids[1...count])
        self.source = source
        available = ids.count
    }
}
