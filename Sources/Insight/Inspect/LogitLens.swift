import Platform
import Transformer

/// The logit lens: what the model would predict if it ended after a layer (`GPT.logits(residual:)`).
struct LogitLens: Equatable, Sendable {
    struct Reading: Equatable, Sendable {
        /// The likeliest token.
        let top: TokenLosses.Prediction
        /// The probability of the token that comes.
        let targetProbability: Double
    }

    /// Of the embedding and after each block, of each position.
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
