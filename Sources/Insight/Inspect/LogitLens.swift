import Platform
import Transformer

/// The logit lens: the model's predictions if it ended after each layer (`GPT.logits(residual:)`).
struct LogitLens: Equatable, Sendable {
    struct Reading: Equatable, Sendable {
        /// The likeliest token.
        let top: TokenLosses.Prediction
        /// The probability of the target.
        let targetProbability: Double
    }

    /// Indexed by layer and position. Layer 0 is the embedding, layer i the output of block i - 1.
    let readings: [[Reading]]

    init(_ activations: Activations, targets: [Int32], model: GPT) {
        readings = activations.residuals.map { residual in
            let losses = TokenLosses(logits: model.logits(residual: residual), targets: targets, count: 1)
            return zip(losses.predictions, losses.losses).map {
                Reading(top: $0[0], targetProbability: exp(-$1))
            }
        }
    }
}
