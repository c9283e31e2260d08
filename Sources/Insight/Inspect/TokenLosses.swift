import Platform
import Transformer

/// What a model expects at each position, and how well that fits what comes.
struct TokenLosses: Equatable, Sendable {
    struct Prediction: Equatable, Sendable {
        let token: Int
        let probability: Double
    }

    /// `-log p(target)` of each position, in nats.
    let losses: [Double]
    /// The likeliest tokens of each position, the first the likeliest.
    let predictions: [[Prediction]]

    /// - Parameters:
    ///   - logits: (T, V).
    ///   - targets: T ids.
    ///   - count: predictions a position.
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
