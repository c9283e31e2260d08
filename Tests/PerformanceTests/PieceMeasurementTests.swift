import Configuration
import Compute
import Testing
import Training
import Transformer

@testable import Performance

@Suite("Times of a model's pieces")
struct PieceMeasurementTests {
    /// How well both ways agree can be measured only on a quiet machine: see scripts/results/scaling.md.
    @Test("A model is timed whole or in pieces, and both ways give all times")
    func times() {
        let configuration = GPTConfiguration(
            layerCount: 6,
            headCount: 4,
            embeddingSize: 128,
            blockSize: 128,
            vocabularySize: 2000
        )
        let pool = WorkerPool(threadCount: 1)
        // A low peak speed selects pieces, a high one the whole model.
        for (peak, isWhole) in [(1e6, false), (1e15, true)] {
            let measurement = PieceMeasurement(
                configuration: configuration,
                sequences: 2,
                training: TrainingConfiguration(),
                pool: pool,
                peak: peak
            )
            #expect(measurement.isWhole == isWhole)
            let costs = measurement.costs()
            for seconds in [costs.chunkTraining, costs.chunkForward, costs.update, costs.sampledToken] {
                #expect(seconds > 0 && seconds.isFinite, "\(costs)")
            }
            // The backward pass is twice as much work as the forward pass. Both are timed in every round.
            #expect(costs.chunkTraining > 1.5 * costs.chunkForward, "\(costs)")
            // A generated token is one row, and a chunk has 256 rows.
            #expect(costs.sampledToken < costs.chunkForward, "\(costs)")
        }
    }

    @Test("The pieces have the model's width and few layers, and separate heads for a large vocabulary")
    func pieces() throws {
        let configuration = GPTConfiguration(
            layerCount: 6,
            headCount: 4,
            embeddingSize: 128,
            blockSize: 512,
            vocabularySize: 2000
        )
        func pieces(peak: Double, _ change: (inout GPTConfiguration) -> Void = { _ in }) -> PieceMeasurement.Pieces {
            var configuration = configuration
            change(&configuration)
            let pool = WorkerPool(threadCount: 1)
            return PieceMeasurement(
                configuration: configuration,
                sequences: 4,
                training: TrainingConfiguration(),
                pool: pool,
                peak: peak
            ).pieces
        }
        func text(_ piece: PieceMeasurement.Pieces.Piece) -> String {
            let shape = piece.configuration
            #expect(shape.embeddingSize == 128 && shape.headCount == 4)
            return "\(shape.layerCount) layers, \(piece.sequences) x \(shape.blockSize), \(shape.vocabularySize)"
        }
        let fast = pieces(peak: 1e15)
        #expect(text(fast.one) == "1 layers, 4 x 512, 64" && text(fast.two) == "2 layers, 4 x 512, 64")
        let heads = try #require(fast.heads)
        #expect(text(heads.whole) == "1 layers, 1 x 256, 2000" && text(heads.small) == "1 layers, 1 x 256, 64")
        // If two layers would take minutes, the number of sequences is reduced first, then their length, down to 128
        // tokens.
        let slow = pieces(peak: 1e6)
        #expect(text(slow.two) == "2 layers, 1 x 128, 64")
        let small = pieces(peak: 1e15) { $0.vocabularySize = 1024 }
        #expect(text(small.two) == "2 layers, 4 x 512, 1024" && small.heads == nil)
    }

    @Test("Measuring needs less memory than the model, and not much more for a longer block or more layers")
    func memory() {
        let gpt2 = GPTConfiguration(
            layerCount: 12,
            headCount: 12,
            embeddingSize: 768,
            blockSize: 1024,
            vocabularySize: 50304
        )
        func bytes(_ change: (inout GPTConfiguration) -> Void = { _ in }) -> Int {
            var configuration = gpt2
            change(&configuration)
            let pool = WorkerPool(threadCount: 1)
            return PieceMeasurement(
                configuration: configuration,
                sequences: 1,
                training: TrainingConfiguration(),
                pool: pool,
                peak: 2e11
            ).bytes
        }
        var training = TrainingConfiguration()
        training.batchSize = 1
        let plan = MemoryPlan(model: gpt2, training: training, threads: 1)
        let whole = plan.model.total + plan.optimizer
        #expect(bytes() < whole / 2 + whole / 10, "\(bytes()) of \(whole)")
        #expect(bytes { $0.layerCount = 48 } == bytes())
        #expect(bytes { $0.blockSize = 1 << 16 } < 2 * bytes())
    }
}
