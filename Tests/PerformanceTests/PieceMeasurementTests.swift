import Compute
import Testing
import Transformer

@testable import Performance

@Suite("Costs from pieces of a model")
struct PieceMeasurementTests {
    /// How near the two come is for a quiet machine: see scripts/results/scaling.md.
    @Test("A model is timed whole or in pieces, with every figure")
    func figures() {
        let configuration = GPTConfiguration(
            layerCount: 6,
            headCount: 4,
            embeddingSize: 128,
            blockSize: 128,
            vocabularySize: 2000
        )
        let pool = WorkerPool(threadCount: 1)
        func costs(peak: Double) -> PieceCosts {
            PieceMeasurement(configuration: configuration, sequences: 2, pool: pool, peak: peak).costs()
        }
        // A machine said to be slow makes it measure in pieces, a fast one the whole.
        let (pieces, whole) = (costs(peak: 1e6), costs(peak: 1e15))
        for costs in [pieces, whole] {
            for seconds in [costs.chunkTraining, costs.chunkForward, costs.update, costs.sampledToken] {
                #expect(seconds > 0 && seconds.isFinite, "\(costs)")
            }
        }
        #expect(pieces != whole)
    }

    @Test("Measuring takes less memory than the model, and no more for a longer block or more layers")
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
            return PieceMeasurement(configuration: configuration, sequences: 1, pool: pool, peak: 2e11).bytes
        }
        let whole = GPT.memoryEstimate(configuration: gpt2, batchSize: 1, sequenceLength: 1024, threads: 1).total
        #expect(bytes() < whole / 2 + whole / 10, "\(bytes()) of \(whole)")
        #expect(bytes { $0.layerCount = 48 } == bytes())
        #expect(bytes { $0.blockSize = 1 << 16 } < 2 * bytes())
    }
}
