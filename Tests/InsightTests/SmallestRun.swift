import Compute
import Transformer

@testable import Training

/// A tiny model and step reports, for tests of observers that do not check the numbers.
enum SmallestRun {
    static func model() -> GPT {
        GPT(
            configuration: GPTConfiguration(
                layerCount: 1,
                headCount: 1,
                embeddingSize: 4,
                blockSize: 4,
                vocabularySize: 5,
                bias: false,
                dropout: 0,
                activation: .gelu
            ),
            context: ComputeContext(pool: WorkerPool(threadCount: 1)),
            forTraining: false
        )
    }

    static func step(_ iteration: Int, isLogged: Bool = true) -> StepReport {
        StepReport(
            iteration: iteration,
            loss: 1,
            learningRate: 1,
            gradientNorm: 1,
            tokens: 1,
            isLogged: isLogged,
            seconds: 1,
            waitingSeconds: 0,
            communicationSeconds: 0,
            tokensPerSecond: 1,
            peakShare: 1
        )
    }
}
