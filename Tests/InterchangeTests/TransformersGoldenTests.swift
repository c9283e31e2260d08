import Compute
import Formats
import Foundation
import TestSupport
import Testing
import Transformer

@testable import Interchange

@Suite("A folder written by transformers")
struct TransformersGoldenTests {
    static let fixture = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures/huggingface_gpt2").path

    /// float32 against float32 through two layers with weights of order 0.3: a few units in the last place of 10.
    static let tolerance: Float = 1e-4

    @Test("It is read, computes the same logits, and survives an export", arguments: [false, true])
    func logits(exported: Bool) throws {
        let scratch = try TemporaryFolder()
        let pool = WorkerPool(threadCount: 1)
        var source = try HuggingFaceModel(folder: Self.fixture)
        var model = GPT(configuration: source.configuration, pool: pool, forTraining: false)
        try source.load(into: model)
        if exported {
            try HuggingFaceExport.write(model, to: scratch("model"))
            source = try HuggingFaceModel(folder: scratch("model"))
            model = GPT(configuration: source.configuration, pool: pool, forTraining: false)
            try source.load(into: model)
        }
        #expect(source.configuration.bias)
        #expect(source.configuration.activation == .gelu_tanh)

        let golden = try JSONValue(ofFile: Self.fixture + "/logits.json")
        let tokens = try #require(golden["tokens"]?.arrayValue).compactMap { $0.integerValue.map { Int32($0) } }
        let rows = try #require(golden["logits"]?.arrayValue).compactMap(\.arrayValue)
        let expected: [Float] = rows.joined().map { value in
            switch value {
            case .number(let number): Float(number)
            case .integer(let number): Float(number)
            default: .nan
            }
        }
        let logits = model.logits(tokens: tokens)
        #expect(logits.count == expected.count)
        let worst = zip(logits, expected).map { abs($0 - $1) }.max() ?? .nan
        #expect(worst <= Self.tolerance)
    }
}
