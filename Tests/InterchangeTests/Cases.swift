import Foundation
import Platform
import Testing
import Transformer

@testable import Interchange

/// The small models in Tests/Fixtures/cases, in the formats that users have. The expected losses come from PyTorch.
enum Cases {
    static let models = Goldens.fixtures + "/cases/models"

    /// Returns the mean loss per token on the validation tokens of the models, 20 blocks of 8.
    static func loss(_ model: GPT) throws -> Double {
        let bytes = try FileSystem.read(models + "/data/good/val.bin")
        let tokens = stride(from: 0, to: bytes.count, by: 2).map { Int32(bytes[$0]) | Int32(bytes[$0 + 1]) << 8 }
        let (length, vocabulary) = (model.configuration.blockSize, model.configuration.vocabularySize)
        var losses: [Double] = []
        for start in stride(from: 0, to: tokens.count - length, by: length) {
            let logits = model.logits(tokens: Array(tokens[start..<start + length]))
            for (position, target) in tokens[start + 1...start + length].enumerated() {
                let row = logits[position * vocabulary..<(position + 1) * vocabulary].map(Double.init)
                losses.append(log(row.map { exp($0 - row.max()!) }.reduce(0, +)) + row.max()! - row[Int(target)])
            }
        }
        return losses.reduce(0, +) / Double(losses.count)
    }

    /// Loads a model and compares its loss, to four decimals, and its notices.
    static func expect(
        _ path: String,
        loss expected: Double,
        notices: [String] = [],
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let source = try PretrainedModel(path: path)
        let found = try loss(Goldens.load(path))
        #expect(abs(found - expected) < 6e-5, "loss \(found), not \(expected)", sourceLocation: sourceLocation)
        #expect(source.notices.count == notices.count, "\(source.notices)", sourceLocation: sourceLocation)
        for (notice, part) in zip(source.notices, notices) {
            #expect(notice.contains(part), "\(notice)", sourceLocation: sourceLocation)
        }
    }
}
