import Configuration
import Compute
import Training
import Transformer

/// Times the pieces of a small model.
final class PieceProbe {
    private let model: GPT
    private let optimizer: Optimizer
    private let generator: Generator
    private let tokens: [Int32]
    private let targets: [Int32]
    private var updates = 0

    /// The number of generated tokens that are timed: enough that the first pass over the prompt hardly matters.
    private static let sampleTokens = 12

    /// - Parameter sequences: the number of sequences in a chunk, each as long as the configuration's block size.
    init(_ configuration: GPTConfiguration, sequences: Int, training: TrainingConfiguration, pool: WorkerPool) {
        model = GPT(configuration: configuration, context: ComputeContext(pool: pool))
        model.initializeParameters(seed: 1)
        optimizer = Optimizer(layout: model.layout, configuration: training)
        generator = Generator(model: model)
        let random = CounterRandom(seed: 1, stream: .trainingBatches)
        let count = sequences * configuration.blockSize
        let ids = (0...count).map { Int32(random.integer(UInt32($0), below: configuration.vocabularySize)) }
        tokens = Array(ids.dropLast())
        targets = Array(ids.dropFirst())
    }

    var parameterCount: Int { model.layout.count }

    func trainingSeconds() -> Double {
        ContinuousClock.seconds {
            _ = model.forwardBackward(
                tokens: tokens,
                targets: targets,
                sequenceLength: model.configuration.blockSize,
                gradientScale: 1 / Float(tokens.count),
                dropout: DropoutKey(seed: 1, step: updates, firstSequence: 0)
            )
        }
    }

    func forwardSeconds() -> Double {
        ContinuousClock.seconds {
            _ = model.loss(tokens: tokens, targets: targets, sequenceLength: model.configuration.blockSize)
        }
    }

    func updateSeconds() -> Double {
        updates += 1
        return ContinuousClock.seconds {
            model.zeroGradients()
            let norm = GradientNorm.measure(model.gradients, context: model.context)
            optimizer.update(
                updates,
                parameters: model.parameters,
                gradients: model.gradients,
                learningRate: 1e-5,
                gradientScale: GradientNorm.clippingScale(norm: norm, maximum: 1),
                context: model.context
            )
        }
    }

    /// Seconds per generated token.
    func samplingSeconds() -> Double {
        var drawn = 0
        let options = SamplingOptions(
            maxNewTokens: Self.sampleTokens,
            allowedVocabulary: model.configuration.vocabularySize
        )
        let elapsed = ContinuousClock.seconds {
            generator.generate(prompt: [0], options: options) { _ in
                drawn += 1
                return true
            }
        }
        return elapsed / Double(max(drawn, 1))
    }
}
