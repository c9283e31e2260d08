import Configuration
import Transformer

/// The memory of one rank of a training run in bytes, by what it is for, before anything is allocated.
public struct MemoryPlan: Equatable, Sendable {
    /// Parameters, gradients and activations.
    public let model: GPT.MemoryEstimate
    /// What the optimizer keeps of each parameter.
    public let optimizer: Int
    /// Inputs and targets of a micro-batch, for steps and for evaluations.
    public let batches: Int
    /// Keys and values that a sample of text is written from, at an evaluation.
    public let sampling: Int
    /// Pages of token files that stay with the process: files that are checked as a whole when they are opened.
    public let data: Int
    /// The copy of parameters and optimizer state that rank 0 writes checkpoints from while training goes on. Taken
    /// where there is room, so not part of `total`.
    public let checkpointCopy: Int
    /// The program itself, with its libraries and the stacks and buffers of its threads.
    public let program: Int

    /// In bytes, without `checkpointCopy`.
    public var total: Int { model.total + optimizer + batches + sampling + data + program }

    /// Bytes of the program before a model is there, of which each thread adds `bytesPerThread`; seen with OpenBLAS.
    private static let programBytes = 26_000_000
    private static let bytesPerThread = 3_000_000

    /// - Parameters:
    ///   - model: the shape.
    ///   - training: options of the run; the batch size and those of the optimizer count.
    ///   - data: bytes of both splits' token files.
    ///   - samples: whether evaluations write a sample, which they do when the dataset has a tokenizer.
    ///   - program: what the program takes without a model; an assumption when nil.
    public init(
        model shape: GPTConfiguration,
        training: TrainingConfiguration,
        threads: Int,
        data: Int = 0,
        samples: Bool = true,
        program: Int? = nil
    ) {
        model = GPT.memoryEstimate(
            configuration: shape,
            batchSize: training.batchSize,
            sequenceLength: shape.blockSize,
            threads: threads
        )
        optimizer = Optimizer.stateBytes(layout: ParameterLayout(shape), configuration: training)
        checkpointCopy = model.parameters + optimizer
        batches = 2 * 2 * MemoryLayout<Int32>.stride * training.batchSize * shape.blockSize
        let positions = min(shape.blockSize, Self.sampleTokens + 1)
        sampling = samples ? 4 * 2 * shape.layerCount * positions * shape.embeddingSize : 0
        // Larger files are read where a batch needs them, and the system takes their pages back when memory is short.
        self.data = data <= Self.largestResidentData ? data : 0
        self.program = program ?? Self.programBytes + threads * Self.bytesPerThread
    }

    /// Tokens of the sample that is written at an evaluation.
    public static let sampleTokens = SampleWriter.length

    /// Bytes of token files up to which all their pages are read at start.
    public static let largestResidentData = 1 << 27

    /// What is left to take for a process that is running already.
    var stillNeeded: Int { total - program - data }
}
