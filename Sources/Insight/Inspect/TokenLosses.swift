import Platform
import Transformer

/// The likeliest next tokens at each position and the loss of the target.
struct TokenLosses: Equatable, Sendable {
    struct Prediction: Equatable, Sendable {
        let token: Int
        let probability: Double
    }

    /// `-ln p(target)` at each position, in nats.
    let losses: [Double]
    /// The likeliest tokens at each position, in descending order of probability.
    let predictions: [[Prediction]]

    /// - Parameters:
    ///   - logits: (T, V).
    ///   - targets: T ids.
    ///   - count: the number of predictions per position.
    init(logits: [Float], targets: [Int32], count: Int) {
        let vocabularySize = logits.count / targets.count
        var losses: [Double] = []
        var predictions: [[Prediction]] = []
        logits.withUnsafeBufferPointer { logits in
            for (row, target) in targets.enumerated() {
                let row = UnsafeBufferPointer(rebasing: logits[row * vocabularySize..<(row + 1) * vocabularySize])
                let largest = Double(row.max()!)
                let sum = row.reduce(0) { $0 + exp(Double($1) - largest) }
                let logSum = largest + log(sum)
                losses.append(logSum - Double(row[Int(target)]))
                predictions.append(
                    LikeliestTokens.first(min(count, vocabularySize), of: row[...]).map {
                        Prediction(token: $0, probability: exp(Double(row[$0]) - logSum))
                    }
                )
            }
        }
        self.losses = losses
        self.predictions = predictions
    }
}
