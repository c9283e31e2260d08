import Transformer

extension ConfigurationKey {
    /// Where a model differs from GPT-2, under the names of `GPTConfiguration.variantNames`, which checkpoints have too.
    static let variants: [ConfigurationKey] = [
        .init("causal_mask", .variants, \.ablations.causalMask, .boolean, .shape, .job) {
            "Whether a position sees only what is before it"
        },
        .init("attention_window", .variants, \.ablations.attentionWindow, .integer(0...1 << 24), .shape, .job) {
            "Positions that a query sees, its own the last; 0 for all"
        },
        .init("attention_sinks", .variants, \.ablations.attentionSinks, .integer(0...1 << 24), .shape, .job) {
            "With a window: first positions that are seen from everywhere"
        },
        .init("attention_temperature", .variants, \.ablations.attentionTemperature, .positive, .shape, .job) {
            "Divides attention's scores: above 1 flatter, below sharper"
        },
        // Either form of the scores has the same weights, so a resume may change it.
        .init("attention", .variants, \.ablations.attention, .choice, .course, .job) {
            "Scores of a head in tiles, or all at once, which takes more time and memory for the same result"
        },
        .init("position_embedding", .variants, \.positions, .choice, .shape, .job) {
            "How the model knows where a token stands"
        },
        .init("residual", .variants, \.ablations.residual, .choice, .shape, .job) {
            "Around which halves of a block the input goes on beside the output"
        },
        .init("norm", .variants, \.norm, .choice, .shape, .job) { "What normalizes activations" },
        .init("norm_position", .variants, \.normPosition, .choice, .shape, .job) {
            "On the way into attention and MLP, or on the stream after them"
        },
        .init("tied_head", .variants, \.tiedHead, .boolean, .shape, .job) {
            "Whether the output head's weights are the token embedding"
        },
        .init("ablate_heads", .variants, \.ablations.removedHeads, .heads, .shape, .job) {
            "Attention heads whose output is taken for zero, as layer.head with commas between"
        },
    ]
}
