import Platform
import Transformer

/// The text that a model is looked at with: T tokens that it sees, and after each the one that comes.
package struct InspectedText: Equatable, Sendable {
    /// T ids.
    package let tokens: [Int32]
    /// The token after each.
    package let targets: [Int32]
    /// What text it is, for the reader.
    package let source: String
    /// Tokens of the whole text, of which `tokens` are the first.
    package let available: Int

    /// Tokens to look at where nothing else is asked for.
    package static let defaultCount = 64

    /// The first tokens of a text: all but the last are seen, all but the first predicted.
    ///
    /// - Parameters:
    ///   - ids: of the whole text.
    ///   - count: T, at most the block size.
    /// - Throws: `UserError(.data)` when there are not two tokens.
    package init(ids: [Int32], count: Int, source: String) throws {
        guard ids.count >= 2 else {
            let found = ids.isEmpty ? "is empty" : "is a single token"
            throw UserError(.data, "\(source) \(found): it takes two, one to see and one to predict")
        }
        let count = min(count, ids.count - 1)
        tokens = Array(ids[..<count])
        targets = Array(ids[1...count])
        self.source = source
        available = ids.count
    }
}
