import Formats
import Platform
import Tokenizers
import Transformer

/// The inspections of a run's checkpoints, or of one model, as JSON and as an HTML page.
package struct InspectionReport {
    let title: String
    let configuration: GPTConfiguration
    let parameterCount: Int
    let text: InspectedText
    let tokenizer: (any Tokenizer)?
    /// The range of visible positions, indexed by layer and row.
    let visible: [[Range<Int>]]
    /// In order of iteration.
    let inspections: [Inspection]
    /// The index of the inspection that the page shows first.
    let shown: Int
    /// One line each.
    let notices: [String]

    /// - Parameters:
    ///   - model: any of the inspected models; all have the same shape.
    ///   - inspections: at least one, all of the same text.
    ///   - shown: the index of the inspection that the page shows first.
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

    /// The page as a single HTML file.
    ///
    /// - Parameter json: the value of `json`, which is slow to compute.
    package func page(_ json: JSONValue) -> String {
        HTMLPage(
            title: title,
            script: PackageResources.inspect_js + PackageResources.heads_js + PackageResources.layers_js,
            style: PackageResources.inspect_css,
            data: json
        ).text
    }

    /// One line for the terminal.
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
            \(named.isEmpty ? "none matches a known pattern" : named.joined(separator: ", ")) (\(kinds.count) of \
            \(configuration.layerCount * configuration.headCount))
            """
    }
}

// MARK: - Size

extension InspectionReport {
    /// The limit of attention weights per page. Browsers become too slow above it.
    package static let maximumWeights = 20_000_000

    /// The number of checkpoints that fit on a page.
    ///
    /// - Parameter tokens: T.
    /// - Throws: `UserError(.usage)` if not even one checkpoint fits.
    package static func maximumCheckpoints(_ configuration: GPTConfiguration, tokens: Int) throws -> Int {
        let heads = configuration.layerCount * configuration.headCount
        let count = maximumWeights / (heads * tokens * tokens)
        guard count == 0 else { return count }
        let fitting = Int(Double(maximumWeights / heads).squareRoot())
        throw UserError(
            .usage,
            """
            tokens=\(tokens): \(heads) heads with \(tokens) x \(tokens) weights each do not fit on a page; use at most \
            --tokens=\(fitting) for this model
            """
        )
    }

    /// At most `limit` of the indices 0 ..< count, evenly spaced. The result includes `chosen` and, if they fit, the
    /// first and the last index.
    package static func evenlySpaced(_ count: Int, limit: Int, keeping chosen: Int) -> [Int] {
        guard count > limit else { return Array(0..<count) }
        guard limit > 1 else { return [chosen] }
        var indices = (0..<limit).map { ($0 * (count - 1) + (limit - 1) / 2) / (limit - 1) }
        if !indices.contains(chosen) {
            // Replace the nearest index.
            let nearest = indices.indices.min { abs(indices[$0] - chosen) < abs(indices[$1] - chosen) }!
            indices[nearest] = chosen
        }
        return indices
    }
}
