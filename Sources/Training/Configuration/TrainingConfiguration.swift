import Collectives
import Text
import Transformer

/// Which ranks compute the batches of an evaluation.
public enum EvaluationRanks: String, Sendable, CaseIterable {
    case all
    case rank0
}

/// Where a model is computed.
public enum Device: String, Sendable, CaseIterable {
    case auto
    case cpu
}

/// The number format of parameters and activations.
public enum DataType: String, Sendable, CaseIterable {
    case float32
}

/// Everything that decides what a training run does, with nanoGPT's defaults (its train.py) unless said otherwise.
///
/// `ConfigurationKey.all` gives each property its name on the command line and in files, its help and its allowed values;
/// `ConfigurationSources.resolve` fills one in from presets, files and the command line.
public struct TrainingConfiguration: Equatable, Sendable {
    // Data and run
    public var preset = Preset.baby
    public var dataset = "shakespeare_char"
    public var dataDir = "data"
    public var outDir = "out"
    /// `scratch`, `resume`, or the path of a model to start from.
    public var initFrom = "scratch"
    public var overwrite = false
    public var seed = 1337
    /// Which windows of the training data a step sees.
    public var sampling = BatchSampler.Order.random
    /// Whether attention keeps within documents, in training and evaluation.
    public var documentMask = false

    // Model
    public var layerCount = 12
    public var headCount = 12
    public var embeddingSize = 768
    /// Tokens in a sequence.
    public var blockSize = 1024
    public var dropout = 0.0
    public var bias = false
    public var activation = Activation.gelu
    /// Where the model is to differ from GPT-2.
    public var variants = GPTVariants()

    // Optimization
    /// Sequences in a micro-batch.
    public var batchSize = 12
    /// Micro-batches in a step, over all ranks together.
    public var gradientAccumulationSteps = 40
    /// Number of updates of the parameters in the whole run.
    public var maxIters = 600_000
    public var learningRate = 6e-4
    public var decayLR = true
    public var warmupIters = 2000
    public var lrDecayIters = 600_000
    public var minLR = 6e-5
    public var weightDecay = 0.1
    public var beta1 = 0.9
    public var beta2 = 0.95
    /// Largest norm of the whole gradient; 0 turns clipping off.
    public var gradClip = 1.0

    // Evaluation, logging, checkpoints
    public var evalInterval = 2000
    public var evalIters = 200
    public var evalOnly = false
    public var evalOn = EvaluationRanks.all
    public var logInterval = 1
    public var alwaysSaveCheckpoint = true
    /// Newest checkpoints that stay; the best stays besides.
    public var keepCheckpoints = 1
    public var saveFailure = SaveFailure.continue

    // Machine
    /// Worker threads; 0 uses every core.
    public var threads = 0
    public var backend = JobConnection.Transport.auto
    public var allReduce = Communicator.AllReduce.ring
    /// Most megabytes of gradient that ranks sum at once while the backward pass goes on.
    public var bucketMegabytes = 4
    /// Seconds without a sign of life or progress after which a rank counts as lost.
    public var timeout = 60.0
    /// Name, address or network of the interface to use; empty for the one that leads to rank 0.
    public var interface = ""
    public var hostfile = ""
    /// Iterations from one comparison of the ranks' parameters to the next; 0 for none.
    public var checkInterval = 100
    public var device = Device.auto
    public var dtype = DataType.float32
    /// Path of a trace of `StepTrace.stepCount` steps after the first `warmUp`; empty for none.
    public var profile = ""

    // Accepted so that nanoGPT's configurations read
    public var compile = false
    public var wandbLog = false
    public var wandbProject = "owt"
    public var wandbRunName = "gpt2"

    public init() {}

    /// `gradientAccumulationSteps * batchSize * blockSize`, over all ranks.
    public var tokensPerIteration: Int { gradientAccumulationSteps * batchSize * blockSize }

    /// The model to train on data with so many different tokens.
    public func model(vocabularySize: Int) -> GPTConfiguration {
        GPTConfiguration(
            layerCount: layerCount,
            headCount: headCount,
            embeddingSize: embeddingSize,
            blockSize: blockSize,
            vocabularySize: vocabularySize,
            bias: bias,
            dropout: Float(dropout),
            activation: activation,
            variants: variants
        )
    }
}
