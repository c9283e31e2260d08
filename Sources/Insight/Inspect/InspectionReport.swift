import Formats
import Platform
import Tokenizers
import Transformer

/// What was seen in the checkpoints of a run, or in one model: as JSON, and as a page that shows it.
package struct InspectionReport {
    let title: String
    let configuration: GPTConfiguration
    let parameterCount: Int
    let text: InspectedText
    let tokenizer: (any Tokenizer)?
    /// Of each layer and row, the positions that it sees.
    let visible: [[Range<Int>]]
    /// In the order of the run.
    let inspections: [Inspection]
    /// The one that is shown first.
    let shown: Int
    /// What the reader should know, a line each.
    let notices: [String]

    /// - Parameters:
    ///   - model: one of those that were looked at, for its shape.
    ///   - inspections: at least one, all with the same text.
    ///   - shown: the index of the one to show first.
    package init(
        title: String,
        model: GPT,
        text: InspectedText,
        tokenizer: (any Tokenizer)?,
        inspections: [Inspection],
        shown: Int,
        notices: [String]
    ) {
        precondition(inspections.indices.contains(shown), "inspection \(shown) of \(inspections.count)")
        self.title = title
        configuration = model.configuration
        parameterCount = model.layout.count
        self.text = text
        self.tokenizer = tokenizer
        visible = inspections[0].heads.map { $0[0].pattern.visible }
        self.inspections = inspections
        self.shown = shown
        self.notices = notices
    }

    /// One file that shows everything.
    ///
    /// - Parameter json: the report's, which takes a while to make.
    package func page(_ json: JSONValue) -> String {
        HTMLPage(
            title: title,
            script: PackageResources.inspect_js + PackageResources.heads_js + PackageResources.layers_js,
            style: PackageResources.inspect_css,
            data: json
        ).text
    }

    /// A line for the terminal.
    package var summary: String {
        let shown = inspections[shown]
        let loss = shown.flow.loss / Double(text.tokens.count)
        let kinds = shown.heads.joined().compactMap { $0.kind?.kind }
        let named = HeadScores.Kind.allCases.compactMap { kind in
            let count = kinds.count { $0 == kind }
            return count == 0 ? nil : "\(count) \(kind.rawValue)"
        }
        let seen = text.tokens.count == 1 ? "1 token" : "\(text.tokens.count) tokens"
        let others = inspections.count > 1 ? ", \(inspections.count) checkpoints" : ""
        return """
            \(shown.name): loss \(InspectionNumber.rounded(loss, digits: 4)) on \(seen)\(others); heads: \
            \(named.isEmpty ? "none has a name" : named.joined(separator: ", ")) of \(configuration.layerCount) x \
            \(configuration.headCount)
            """
    }
}

// MARK: - Size

extension InspectionReport {
    /// A page with more weights than this would take a browser too long.
    package static let maximumWeights = 20_000_000

    /// How many checkpoints a page can hold.
    ///
    /// - Parameter tokens: T.
    /// - Throws: `UserError(.usage)` when a single one is too large, with the number of tokens that fits.
    package static func maximumCheckpoints(_ configuration: GPTConfiguration, tokens: Int) throws -> Int {
        let heads = configuration.layerCount * configuration.headCount
        let most = maximumWeights / (heads * tokens * tokens)
        guard most == 0 else { return most }
        let fitting = Int(Double(maximumWeights / heads).squareRoot())
        throw UserError(
            .usage,
            """
            tokens=\(tokens): \(heads) heads with \(tokens) x \(tokens) weights each are too many for a page; at most \
            --tokens=\(fitting) fits this model
            """
        )
    }

    /// `most` of the indices 0 ..< count, evenly: the first, the last and `chosen` among them as far as they fit.
    package static func evenlySpaced(_ count: Int, limit: Int, keeping chosen: Int) -> [Int] {
        guard count > limit else { return Array(0..<count) }
        guard limit > 1 else { return [chosen] }
        var indices = (0..<limit).map { ($0 * (count - 1) + (limit - 1) / 2) / (limit - 1) }
        if !indices.contains(chosen) {
            // In place of the nearest.
            let nearest = indices.indices.min { abs(indices[$0] - chosen) < abs(indices[$1] - chosen) }!
            indices[nearest] = chosen
        }
        return indices
    }
}
