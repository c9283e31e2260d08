import Configuration
import Compute
import Datasets
import Formats
import Foundation
import ModelFiles
import Platform
import TestSupport
import Testing
import Transformer

@testable import Training

/// Files that the version before the rebuild wrote (`Tests/Fixtures/before_rebuild`) are still read, with the same numbers.
@Suite("Files of the version before the rebuild")
struct BeforeRebuildTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures/before_rebuild").path
    private static let checkpoints = ["run": "run/checkpoints/step-00000015", "bias": "bias", "variant": "variant"]

    /// What `expected.json` has for this machine's instruction set and BLAS; nil when that is not recorded.
    private static let expected = try? JSONValue(ofFile: folder + "/expected.json")[machine]
    private static let machine = "\(Kernels.standard.instructionSet), \(MatrixProducts.blasDescription)"
    private static let unknownMachine: Comment = "nothing is recorded for \(machine)"

    private func checkpoint(_ name: String) throws -> Checkpoint {
        try Checkpoint(folder: Self.folder + "/" + #require(Self.checkpoints[name])).verify()
    }

    private func chars() throws -> Dataset { try Dataset.open(folder: Self.folder + "/data", name: "chars") }

    @Test("datasets have the tokens of their text", arguments: ["chars", "bytes", "shards"])
    func datasets(name: String) throws {
        let text = try FileSystem.read(Self.folder + "/text.txt")
        let dataset = try Dataset.open(folder: Self.folder + "/data", name: name)
        let tokenizer = try #require(dataset.tokenizer)
        var decoded: [UInt8] = []
        for split in [dataset.train, dataset.validation] {
            var tokens = [Int32](repeating: 0, count: split.count)
            try split.copy(from: 0, count: split.count, into: &tokens)
            decoded += tokenizer.decode(tokens)
        }
        #expect(decoded == text)
        #expect(dataset.train.count == 9 * text.count / 10)
    }

    @Test("checkpoints are whole, and their models have the recorded loss", arguments: checkpoints.keys.sorted())
    func losses(name: String) throws {
        let model = try checkpoint(name).loadModel(pool: WorkerPool(threadCount: 2))
        // That version scored whole blocks only.
        let blocks = SplitBlocks(try chars().validation, blockSize: model.configuration.blockSize, batchSize: 8)
        var (sum, count, tokens, targets) = (0.0, 0, [Int32](), [Int32]())
        for batch in blocks.batches where batch.length == model.configuration.blockSize {
            try blocks.read(batch, tokens: &tokens, targets: &targets)
            sum += model.loss(tokens: tokens, targets: targets, sequenceLength: batch.length)
            count += batch.targetCount
        }
        let loss = sum / Double(count)
        let recorded = try JSONValue(ofFile: Self.folder + "/expected.json").objectValue?.first?.value
        let expected = try #require((Self.expected ?? recorded)?["losses"]?[name]?.numberValue)
        // On other machines the last bits differ.
        #expect(abs(loss - expected) < (Self.expected == nil ? 1e-6 : 1e-12), "\(loss), recorded \(expected)")
    }

    @Test("the description for transformers is written as it was", arguments: checkpoints.keys.sorted())
    func descriptions(name: String) throws {
        let checkpoint = try checkpoint(name)
        for (file, text) in [
            ("config.json", HuggingFaceConfiguration.text(checkpoint.state.model, endOfText: nil)),
            ("tokenizer_config.json", HuggingFaceConfiguration.tokenizerText(checkpoint.state.model, endOfText: nil)),
        ] {
            let written = try FileSystem.read(checkpoint.folder + "/" + file)
            #expect(text == String(decoding: written, as: UTF8.self))
        }
    }

    @Test("a checkpoint that is saved again has the same files", arguments: checkpoints.keys.sorted())
    func savedAgain(name: String) throws {
        let old = try checkpoint(name)
        let model = try old.loadModel(pool: WorkerPool(threadCount: 1), forTraining: true)
        let optimizer = Optimizer(layout: model.layout, configuration: try old.state.configuration)
        try old.loadOptimizer(into: optimizer.state)
        let scratch = try TemporaryFolder()
        let new = try CheckpointStore(outputFolder: scratch.path).save(
            old.state,
            CheckpointValues(model, optimizer.state),
            tokenizer: chars().tokenizer,
            isBest: false
        )
        #expect(new.hashes == old.hashes)
        #expect(new.description == old.description)
    }

    @Test("the links of a run name its best checkpoint and its latest, and its sample is written again")
    func run() throws {
        let store = CheckpointStore(outputFolder: Self.folder + "/run")
        #expect(try store.open(.best).state.iteration == 10)
        let latest = try store.open(.latest)
        #expect(latest.state.iteration == 15)
        let sample = RunFiles(folder: Self.folder + "/run").sample(iteration: 15)
        let tokenizer = try #require(try chars().tokenizer)
        var ids: [Int32] = []
        let options = SamplingOptions(seed: 1337, maxNewTokens: 40, allowedVocabulary: tokenizer.vocabularySize)
        Generator(model: try latest.loadModel(pool: WorkerPool(threadCount: 1)))
            .generate(prompt: tokenizer.defaultPrompt.ids, options: options) { token in
                ids.append(token)
                return true
            }
        #expect(tokenizer.decode(ids) == Array(try FileSystem.read(sample).prefix(40)))
    }

    @Test("a run goes on to the recorded parameters", .enabled(if: expected != nil, unknownMachine))
    func resume() throws {
        let scratch = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: Self.folder + "/run", toPath: scratch("run"))
        let options = [
            ("init_from", "resume"), ("out_dir", scratch("run")), ("data_dir", Self.folder + "/data"),
            ("max_iters", "25"),
        ]
        let trainer = try Trainer(
            configuration: ConfigurationSources(files: [], options: options.map { (name: $0.0, value: $0.1) })
                .resolve(),
            dataset: chars(),
            output: RunOutput(.init(line: { _ in }, note: { _ in }), linesGoToTerminal: false),
            peak: 1e11
        )
        #expect(try trainer.run() == .finished)
        #expect(trainer.iteration == 25)
        #expect(String(trainer.model.parameterHash.prefix(16)) == Self.expected?["resumed"]?.stringValue)
    }
}
