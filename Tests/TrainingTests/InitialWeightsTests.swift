import Configuration
import Platform
import Testing
import Transformer

@testable import Training

@Suite("Starting from weights")
struct InitialWeightsTests {
    let weights = InitialWeights(
        source: "models/small",
        configuration: GPTConfiguration(
            layerCount: 3,
            headCount: 4,
            embeddingSize: 32,
            blockSize: 128,
            vocabularySize: 100,
            bias: true,
            activation: .gelu_tanh
        ),
        load: { _ in }
    )

    private func adopted(_ options: [(name: String, value: String)]) throws -> TrainingConfiguration {
        var resolved = try ConfigurationSources(options: [("preset", "baby")] + options).resolve()
        try resolved.adopt(weights)
        return resolved.values
    }

    @Test("The shape is theirs, dropout is the run's, and only a block size that was asked for crops the model")
    func shape() throws {
        let values = try adopted([("dropout", "0.1")])
        var expected = weights.configuration
        expected.dropout = 0.1
        #expect(values.model(vocabularySize: 100) == expected)
        #expect(try adopted([("block_size", "128")]).blockSize == 128)
        #expect(try adopted([("block_size", "16")]).blockSize == 16)
    }

    @Test("What no option sets is theirs too, in a run and when it is resumed")
    func settingsWithoutOption() throws {
        let dataset = try TrainingFixture().dataset
        var given = weights.configuration
        (given.feedForward.hiddenSize, given.norm.epsilon) = (48, 1e-3)
        var resolved = try ConfigurationSources(options: [("preset", "baby")]).resolve()
        try resolved.adopt(InitialWeights(source: "models/odd", configuration: given) { _ in })
        let start = StartingPoint(
            resolved,
            vocabularySize: 100,
            resumed: nil,
            weights: given,
            dataset: dataset
        )
        #expect(start.state.model.variantChanges.map(\.value) == ["48", "0.001"])
        let resumed = StartingPoint(resolved, vocabularySize: 100, resumed: start.state, dataset: dataset)
        #expect(resumed.state.model == start.state.model)
    }

    @Test(
        "Another shape that was asked for is refused by name",
        arguments: [("n_embd", "64", "32"), ("block_size", "256", "128"), ("bias", "false", "true")]
    )
    func refused(name: String, value: String, present: String) throws {
        let message = "\(name)=\(value) (command line), but models/small has \(name)=\(present): leave the option out"
        #expect(throws: UserError(.usage, message)) { try adopted([(name, value)]) }
    }
}
