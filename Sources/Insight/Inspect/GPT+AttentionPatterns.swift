import Transformer

extension GPT {
    /// The attention map of each head, indexed by layer and head.
    func attentionPatterns(tokens: [Int32]) -> [[AttentionMap]] {
        attentionWeights(tokens: tokens).enumerated().map { layer, heads in
            let visible = tokens.indices.map { visiblePositions(row: $0, length: tokens.count) }
            let visibleCounts = tokens.indices.map { visibleCount(row: $0, length: tokens.count) }
            return heads.map { AttentionMap(weights: $0, visible: visible, visibleCounts: visibleCounts) }
        }
    }
}
