import Compute
import Foundation
import Formats
import Interchange
import Testing
import Transformer

/// Files that other tools wrote, in Tests/Fixtures. Each folder has the script that made it.
enum Goldens {
    static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures").path
    static let transformers = fixtures + "/huggingface_gpt2"
    static let exchange = fixtures + "/exchange"

    /// The tolerance for logits of magnitude 10 after two layers in float32: about 100 units in the last place.
    static let tolerance: Float = 1e-4

    static func load(_ path: String) throws -> GPT { try load(PretrainedModel(path: path)) }

    static func load(_ source: PretrainedModel) throws -> GPT {
        let model = GPT(
            configuration: source.configuration,
            context: ComputeContext(pool: WorkerPool(threadCount: 1)),
            forTraining: false
        )
        try source.load(into: model)
        return model
    }

    /// Compares a model's logits with those of another tool.
    static func expectLogits(
        of model: GPT,
        _ path: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let golden = try JSONValue(ofFile: path)
        let tokens = try #require(golden["tokens"]?.arrayValue).compactMap { $0.integerValue.map { Int32($0) } }
        let rows = try #require(golden["logits"]?.arrayValue).compactMap(\.arrayValue)
        let expected = rows.joined().map { Float($0.numberValue ?? .nan) }
        let logits = model.logits(tokens: tokens)
        #expect(logits.count == expected.count, sourceLocation: sourceLocation)
        let worst = zip(logits, expected).map { abs($0 - $1) }.max() ?? .nan
        #expect(worst <= tolerance, sourceLocation: sourceLocation)
    }

    static func values(_ model: GPT) -> [Float] { Array(model.parameters.elements) }
}
