import Datasets
import Platform
import Transformer

/// Everything that decides what a training run does, with nanoGPT's defaults (its train.py) unless said otherwise.
///
/// `ConfigurationKey.all` gives each property its name on the command line and in files, its help and its allowed values;
/// `ConfigurationSources.resolve` fills one in from presets, files and the command line.
public struct TrainingConfiguration: Equatable, Sendable {
    // Data and run
    /// What stood in place of nanoGPT's defaults; a name only, its values are in the other properties.
    public var preset = Preset.baby
    /// A folder's name within `dataDir`.
    public var dataset = "shakespeare_char"
    /// Folder of all datasets.
    public var dataDir = "data"
    /// How much of the data is compared before training.
    public var verifyData = DataVerification.samples
    /// The run's folder: checkpoints, metrics, samples and report.
    public var outDir = "out"
    /// `scratch`, `resume`, or the path of a model to start from.
    public var initFrom = "scratch"
    /// Whether the run in `outDir` may be replaced.
    public var overwrite = false
    /// At least 0.
    public var seed = 1337
    /// Which windows of the training data a step sees.
    public var sampling = BatchSampler.Order.random
    /// Whether attention keeps within documents, in training and evaluation.
    public var documentMask = false

    // Model
    /// Transformer blocks, 1 to 10,000.
    public var layerCount = 12
    /// Heads of a layer, at least 1; divides `embeddingSize`.
    public var headCount = 12
    /// Width of the residual stream, at least 1.
    public var embeddingSize = 768
    /// Tokens in a sequence.
    public var blockSize = 1024
    /// Probability in [0, 1).
    public var dropout = 0.0
    /// Whether LayerNorms and linear layers add a bias.
    public var bias = false
    /// Of the MLP.
    public var activation = Activation.gelu
    /// How the model knows where a token stands.
    public var positions = GPTConfiguration.Positions.learned
    /// What normalizes activations.
    public var norm = GPTConfiguration.Norm.Kind.layernorm
    /// Where in a block they are normalized.
    public var normPosition = GPTConfiguration.Norm.Place.pre
    /// Whether the weights of the output head are those of the token embedding.
    public var tiedHead = true
    /// What an experiment takes away from the model.
    public var ablations = Ablations()

    // Optimization
    /// Sequences in a micro-batch.
    public var batchSize = 12
    /// Micro-batches in a step, over all ranks together.
    public var gradientAccumulationSteps = 40
    /// Number of updates of the parameters in the whole run.
    public var maxIters = 600_000
    /// The largest, more than 0.
    public var learningRate = 6e-4
    /// Whether the rate warms up and falls; else it is `learningRate` throughout.
    public var decayLR = true
    /// Iterations of the warm-up, at least 0.
    public var warmupIters = 2000
    /// The iteration at which the rate is `minLR`, at least 1.
    public var lrDecayIters = 600_000
    /// The rate at the end of the decay, at least 0.
    public var minLR = 6e-5
    /// AdamW's λ, at least 0, for tensors of two or more dimensions.
    public var weightDecay = 0.1
    /// AdamW's β₁, in [0, 1).
    public var beta1 = 0.9
    /// AdamW's β₂, in [0, 1).
    public var beta2 = 0.95
    /// Largest norm of the whole gradient; 0 turns clipping off.
    public var gradClip = 1.0

    // Evaluation, logging, checkpoints
    /// Iterations between evaluations, at least 1.
    public var evalInterval = 2000
    /// Batches of each split in an evaluation, at least 1.
    public var evalIters = 200
    /// Whether the run ends after one evaluation, without an update.
    public var evalOnly = false
    /// Who computes evaluations; the losses are the same.
    public var evalOn = EvaluationRanks.all
    /// Iterations between lines of the log, at least 1.
    public var logInterval = 1
    /// Whether each evaluation saves; else only one with the lowest loss so far does, and the end.
    public var alwaysSaveCheckpoint = true
    /// Newest checkpoints that stay; the best stays besides.
    public var keepCheckpoints = 1
    /// What follows a save that failed.
    public var saveFailure = SaveFailure.continue

    // Machine
    /// Worker threads; 0 uses every core.
    public var threads = 0
    /// How ranks reach each other.
    public var backend = Backend.auto
    /// How gradients are summed over the ranks.
    public var allReduce = GradientSum.ring
    /// Most megabytes of gradient that ranks sum at once while the backward pass goes on.
    public var bucketMegabytes = 4
    /// Seconds that ranks wait at the start for those that have not come.
    public var meetTimeout = 300.0
    /// Seconds without a sign of life or progress after which a rank counts as lost.
    public var timeout = 60.0
    /// Ports that a rank listens on, besides rank 0's own.
    public var portRange = PortRange.standard
    /// Name, address or network of the interface to use; empty for the one that leads to rank 0.
    public var interface = ""
    /// Path of a file with a host a line, rank 0's first; empty for none.
    public var hostfile = ""
    /// Iterations from one comparison of the ranks' parameters to the next; 0 for none.
    public var checkInterval = 100
    /// Accepts nanoGPT's option; all is computed on the CPU.
    public var device = Device.auto
    /// Accepts nanoGPT's option; there is only float32.
    public var dtype = DataType.float32
    /// Path of a trace of `ProfileExtent.stepCount` steps after the first `warmUp`; empty for none.
    public var profile = ""

    // Accepted so that nanoGPT's configurations read
    /// Without effect.
    public var compile = false
    /// Without effect.
    public var wandbLog = false
    /// Without effect.
    public var wandbProject = "owt"
    /// Without effect.
    public var wandbRunName = "gpt2"

    /// nanoGPT's defaults, with the preset's name `baby` but not its values.
    public init() {}

    /// `gradientAccumulationSteps * batchSize * blockSize`, over all ranks.
    public var tokensPerIteration: Int { gradientAccumulationSteps * batchSize * blockSize }

    /// The model to train on data with so many different tokens.
    public func model(vocabularySize: Int) -> GPTConfiguration {
        var model = GPTConfiguration(
            layerCount: layerCount,
            headCount: headCount,
            embeddingSize: embeddingSize,
            blockSize: blockSize,
            vocabularySize: vocabularySize,
            bias: bias,
            dropout: Float(dropout),
            activation: activation
        )
        model.attention.positions = positions
        (model.norm.kind, model.norm.place) = (norm, normPosition)
        model.tiedHead = tiedHead
        model.ablations = ablations
        return model
    }

    /// Built-in defaults with the shape of a model. Its dropout belongs to a run and is left out.
    package init(shapeOf model: GPTConfiguration) {
        layerCount = model.layerCount
        headCount = model.headCount
        embeddingSize = model.embeddingSize
        blockSize = model.blockSize
        bias = model.bias
        activation = model.activation
        positions = model.attention.positions
        (norm, normPosition) = (model.norm.kind, model.norm.place)
        tiedHead = model.tiedHead
        ablations = model.ablations
    }
}

extension TrainingConfiguration {
    /// Options of the model's shape whose values differ from another configuration's.
    package func shapeDifferences(from other: TrainingConfiguration) -> [ConfigurationKey] {
        ConfigurationKey.shape.filter { $0.argument(in: self) != $0.argument(in: other) }
    }
}

extension ConfigurationKey {
    /// The options that decide the shape of a model.
    package static let shape = all.filter { $0.effect == .shape }
}
