import Compute
import Datasets
import Foundation
import Platform
import Preparation
import Testing
import Transformer

@testable import Training

@Suite("Evaluation")
struct EvaluationTests {
    let fixture: TrainingFixture
    let model: GPT

    init() throws {
        fixture = try TrainingFixture()
        model = GPT(
            configuration: fixture.configuration.model(vocabularySize: 16),
            context: ComputeContext(pool: WorkerPool(threadCount: 1)),
            forTraining: false
        )
        model.initializeParameters(seed: 3)
    }

    private func evaluation(batchSize: Int, batchCount: Int, seed: Int = 1) throws -> Evaluation {
        try Evaluation(
            dataset: fixture.dataset,
            blockSize: 8,
            batchSize: batchSize,
            batchCount: batchCount,
            seed: seed
        )
    }

    @Test("The batches are the same each time, and others with another seed")
    func repeatable() throws {
        let evaluation = try evaluation(batchSize: 3, batchCount: 4)
        let first = try #require(try evaluation.losses(of: model))
        #expect(try evaluation.losses(of: model) == first)
        #expect(first.train != first.validation)
        #expect(first.validationOptimum == nil)
        let other = try #require(try self.evaluation(batchSize: 3, batchCount: 4, seed: 2).losses(of: model))
        #expect(other.validation != first.validation)
        #expect(evaluation.tokenCount == 2 * 4 * 3 * 8)
    }

    @Test("It ends within a batch when asked to, and tells how far it is")
    func cancelled() throws {
        var shares: [Double] = []
        let evaluation = try evaluation(batchSize: 2, batchCount: 2)
        let stop = StopRequest()
        func note(_ share: Double) {
            shares.append(share)
            if share == 0.75 { stop.request() }
        }
        #expect(try evaluation.losses(of: model, progress: note, stop: stop) == nil)
        #expect(shares.starts(with: [0.25, 0.5, 0.75]))
        // One that nobody stops has all its batches.
        #expect(try evaluation.losses(of: model) != nil)
    }

    @Test("Every target of the split is scored exactly once, whatever the batch", arguments: [1, 7, 200])
    func wholeSplit(batchSize: Int) throws {
        var progress = 0.0
        let result = try SplitLoss(of: model, dataset: fixture.dataset, split: .validation, batchSize: batchSize) {
            #expect($0 > progress)
            progress = $0
        }
        #expect(progress == 1)
        // 1000 tokens: 124 blocks of 8 targets, and a block of 7.
        #expect(result.tokens == 999)
        var ids = [Int32](repeating: 0, count: 1000)
        try ids.withUnsafeMutableBufferPointer {
            try fixture.dataset.validation.copy(from: 0, count: 1000, into: $0.baseAddress!)
        }
        let sum =
            model.loss(tokens: Array(ids[..<992]), targets: Array(ids[1..<993]), sequenceLength: 8)
            + model.loss(tokens: Array(ids[992..<999]), targets: Array(ids[993...]), sequenceLength: 7)
        #expect(abs(result.loss - sum / 999) < 1e-6)
        #expect(result.optimum == nil)
    }

    /// The fixture's dataset with another validation split.
    private func withValidation(_ ids: [UInt16]?) throws -> Dataset {
        let path = fixture.folder("letters/val.bin")
        try FileSystem.remove(path)
        if let ids { try ids.map(\.littleEndian).withUnsafeBytes { try AtomicFile.write($0, to: path) } }
        return try Dataset.open(folder: fixture.folder.path, name: "letters")
    }

    @Test("A split of fewer targets than a block is scored whole, and estimated as one block", arguments: [2, 6, 8])
    func shortSplit(count: Int) throws {
        let ids = (0..<count).map { UInt16(3 * $0 % 16) }
        let dataset = try withValidation(ids)
        let expected =
            model.loss(
                tokens: ids.dropLast().map { Int32($0) },
                targets: ids.dropFirst().map { Int32($0) },
                sequenceLength: count - 1
            ) / Double(count - 1)
        let whole = try SplitLoss(of: model, dataset: dataset, split: .validation, batchSize: 4)
        #expect(whole.tokens == count - 1)
        #expect(abs(whole.loss - expected) < 1e-6)
        let estimate = try Evaluation(dataset: dataset, blockSize: 8, batchSize: 3, batchCount: 2, seed: 1)
        let losses = try #require(try estimate.losses(of: model))
        #expect(abs(try #require(losses.validation) - expected) < 1e-6)
        #expect(try fixture.trainer(dataset: dataset).run() == .finished)
        let note = "the validation split has \(count - 1) targets, fewer than block_size=8"
        #expect(fixture.notes.contains { $0.hasPrefix(note) } == (count < 9), "\(fixture.notes)")
    }

    @Test("Without a target there is nothing to score, and no estimate", arguments: [nil, 0, 1])
    func nothingToScore(count: Int?) throws {
        let dataset = try withValidation(count.map { [UInt16](repeating: 5, count: $0) })
        let error = try #require(throws: UserError.self) {
            try SplitLoss(of: model, dataset: dataset, split: .validation, batchSize: 4)
        }
        #expect(error.kind == .data)
        #expect(error.message.hasPrefix("there is nothing to score: \(fixture.folder("letters"))"), "\(error)")
        let estimate = try Evaluation(dataset: dataset, blockSize: 8, batchSize: 3, batchCount: 2, seed: 1)
        #expect(estimate.tokenCount == 2 * 3 * 8)
        let losses = try #require(try estimate.losses(of: model))
        #expect(losses.validation == nil && losses.validationBitsPerByte == nil)
        let whole = try Evaluation(dataset: fixture.dataset, blockSize: 8, batchSize: 3, batchCount: 2, seed: 1)
        #expect(try whole.losses(of: model)?.train == losses.train)
    }

    @Test("A training split that is not longer than a block is refused")
    func tooShort() throws {
        let error = #expect(throws: UserError.self) { try fixture.trainer { $0.blockSize = 3000 } }
        #expect(error?.kind == .usage)
    }

    /// A model of the fixture's shape for another data set.
    private func untrained(for dataset: Dataset) -> GPT {
        let model = GPT(
            configuration: fixture.configuration.model(vocabularySize: dataset.vocabularySize),
            context: ComputeContext(pool: model.pool),
            forTraining: false
        )
        model.initializeParameters(seed: 3)
        return model
    }

    @Test("On the demo corpus the optimum of the same tokens stands beside the loss")
    func demo() throws {
        let request = PreparationRequest(
            source: .demo(seed: 5, characters: 20_000),
            name: "demo",
            dataFolder: fixture.folder.path
        )
        _ = try DataPreparation.run(request)
        let dataset = try Dataset.open(folder: fixture.folder.path, name: "demo")
        let model = untrained(for: dataset)
        let evaluation = try Evaluation(dataset: dataset, blockSize: 8, batchSize: 4, batchCount: 5, seed: 1)
        let losses = try #require(try evaluation.losses(of: model))
        let optimum = try #require(losses.validationOptimum)
        // An untrained model is near the logarithm of the vocabulary; the grammar needs about half of that.
        let validation = try #require(losses.validation)
        #expect(0.5 < optimum && optimum < validation)
        #expect(try #require(losses.trainOptimum) != optimum)
        #expect(try evaluation.losses(of: model) == losses)

        let whole = try SplitLoss(of: model, dataset: dataset, split: .validation, batchSize: 10)
        #expect(abs(try #require(whole.optimum) - optimum) < 0.3)
        let error = try #require(whole.standardError)
        #expect(0 < error && error < 0.1)
    }

    @Test("Bits per byte: by counting characters, or from the bytes that dataset.json says")
    func bitsPerByte() throws {
        let text = String(repeating: "fünf Größen, ", count: 300)
        try AtomicFile.write(text, to: fixture.folder("text.txt"))
        let request = PreparationRequest(
            source: .inputs([fixture.folder("text.txt")]),
            name: "sizes",
            dataFolder: fixture.folder.path
        )
        _ = try DataPreparation.run(request)
        let dataset = try Dataset.open(folder: fixture.folder.path, name: "sizes")
        let model = untrained(for: dataset)
        // 13 characters of 16 bytes, again and again.
        let whole = try SplitLoss(of: model, dataset: dataset, split: .train, batchSize: 10)
        #expect(abs(try #require(whole.bitsPerByte) - whole.loss / log(2) * 13 / 16) < 1e-3)
        let losses = try #require(
            try Evaluation(dataset: dataset, blockSize: 8, batchSize: 4, batchCount: 5, seed: 1).losses(of: model)
        )
        #expect(abs(try #require(losses.trainBitsPerByte) - losses.train / log(2) * 13 / 16) < 1e-3)
        let validation = try #require(losses.validation)
        #expect(abs(try #require(losses.validationBitsPerByte) - validation / log(2) * 13 / 16) < 1e-2)
        #expect(try fixture.dataset.bytesPerToken(of: .train) == 1)

        let path = dataset.path + "/dataset.json"
        let written = String(decoding: try FileSystem.read(path), as: UTF8.self)
        let described = written.replacing(
            /"bytes": \d+/,
            with: "\"bytes\": \(3 * dataset.train.count)",
            maxReplacements: 1
        )
        #expect(described != written)
        try AtomicFile.write(described, to: path)
        let said = try Dataset.open(folder: fixture.folder.path, name: "sizes")
        #expect(try said.bytesPerToken(of: .train) == 3)
    }

    @Test("Within documents the loss is another, and needs an end-of-text token")
    func documentMask() throws {
        let boundaries = DocumentBoundaries(endOfText: 3)
        let plain = try SplitLoss(of: model, dataset: fixture.dataset, split: .validation, batchSize: 7)
        let masked = try SplitLoss(
            of: model,
            dataset: fixture.dataset,
            split: .validation,
            batchSize: 7,
            boundaries: boundaries
        )
        #expect(masked.loss != plain.loss)
        let error = #expect(throws: UserError.self) { try fixture.dataset.documentBoundaries() }
        #expect(error?.kind == .usage)
        #expect(error?.message.contains("its tokenizer (char) has no end-of-text token") == true)
        let trainer = #expect(throws: UserError.self) { try fixture.trainer { $0.documentMask = true } }
        #expect(trainer?.message == error?.message)
    }

    @Test("Training within documents repeats to the bit, and differs from training without")
    func masked() throws {
        for split in ["train", "val"] {
            try FileSystem.createFolder(fixture.folder("bare"))
            // Ids of GPT-2, an end-of-text token every fifth.
            let ids = (0..<600).map { $0 % 5 == 4 ? UInt16(50256) : UInt16($0 % 7) }
            try ids.map(\.littleEndian).withUnsafeBytes {
                try AtomicFile.write($0, to: fixture.folder("bare/\(split).bin"))
            }
        }
        let bare = try Dataset.open(folder: fixture.folder.path, name: "bare")
        #expect(try bare.documentBoundaries() == DocumentBoundaries(endOfText: 50256))
        func hash(_ isMasked: Bool) throws -> String {
            let trainer = try fixture.trainer(dataset: bare) {
                $0.dataset = "bare"
                $0.documentMask = isMasked
                $0.maxIters = 2
                $0.lrDecayIters = 2
                $0.overwrite = true
            }
            _ = try trainer.run()
            return trainer.model.parameterHash
        }
        let first = try hash(true)
        #expect(try hash(true) == first)
        #expect(try hash(false) != first)
    }
}
