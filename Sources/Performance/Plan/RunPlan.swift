import Compute
import Configuration
import Platform
import Training
import Transformer

/// What a configuration will take before it is run: memory of a rank, time of a step, an evaluation and the run.
public struct RunPlan: Sendable {
    /// The options that were planned.
    public let values: TrainingConfiguration
    /// The shape that they give on these data.
    public let model: GPTConfiguration
    /// What is known of the data.
    public let data: PlannedData
    /// Ranks, at least 1.
    public let ranks: Int
    /// Of each rank's link; nil only for one rank.
    public let bandwidth: Bandwidth?
    /// Worker threads of a rank.
    public let threads: Int
    /// Of one rank, in bytes.
    public let memory: MemoryPlan
    /// Bytes that are free on this machine, and why the configuration does not fit them; nil when it does.
    public let available: Int?
    /// One line for the user; nil when it fits.
    public let refusal: String?
    /// In seconds.
    public let time: TimePlan
    /// Operations a second of matrix products, and bytes a second of copying.
    public let peak: Double
    /// Bytes a second, read and written ones both counted, by all threads.
    public let copyBandwidth: Double
    /// Bytes a second of saving a checkpoint, nil where nothing can be written.
    public let storage: Double?

    /// Measures for a few seconds.
    ///
    /// - Parameters:
    ///   - weights: the shape of the weights that a new run begins with.
    ///   - bandwidth: of each rank's network link; needed for several ranks.
    ///   - iteration: where a resumed run goes on.
    /// - Throws: `UserError(.usage)` for more ranks than sequences in a step, and for a model of which not even the pieces
    ///   to be measured fit this machine.
    public init(
        values: TrainingConfiguration,
        data: PlannedData,
        weights: GPTConfiguration? = nil,
        ranks: Int = 1,
        bandwidth: Bandwidth? = nil,
        iteration: Int = 0
    ) throws {
        let ring = try Self.ring(values: values, ranks: ranks, bandwidth: bandwidth)
        var model = values.model(vocabularySize: data.vocabularySize)
        if let weights { model.copySettingsWithoutOption(from: weights) }
        let threads = Processors.count(asked: values.threads)
        let available = MemoryCheck.availableBytes
        let pool = WorkerPool(threadCount: threads)
        let peak = MachinePeak.measure(pool: pool)
        copyBandwidth = CopyBandwidth.measure(pool: pool)
        let perRank = (values.gradientAccumulationSteps * values.batchSize + ranks - 1) / ranks
        let microBatch = min(values.batchSize, perRank)
        var share = values
        share.batchSize = microBatch
        refusal = Self.refusal(model, share, threads: threads, available: available)
        let measurement = PieceMeasurement(
            configuration: model,
            sequences: GPT.chunkSequences(batch: microBatch, length: model.blockSize),
            training: values,
            pool: pool,
            peak: peak
        )
        // One layer alone may be too large.
        if let refusal, let available, measurement.bytes > available { throw UserError(.usage, refusal) }
        let costs = measurement.costs()
        storage = StorageSpeed.measure(folder: values.outDir)
        time = TimePlan(
            values: values,
            model: model,
            costs: costs,
            ring: ring,
            iteration: iteration,
            samples: data.samples,
            storage: storage
        )
        // What is resident after all this was measured is what the program takes without a model.
        memory = MemoryPlan(
            model: model,
            training: share,
            threads: threads,
            data: data.bytes ?? 0,
            samples: data.samples,
            program: ProcessMemory.resident
        )
        self.values = values
        self.model = model
        self.data = data
        self.ranks = ranks
        self.bandwidth = bandwidth
        self.threads = threads
        self.available = available
        self.peak = peak
    }

    /// Why training would be refused for want of memory; nil when it would not.
    private static func refusal(
        _ model: GPTConfiguration,
        _ training: TrainingConfiguration,
        threads: Int,
        available: Int?
    ) -> String? {
        do {
            _ = try MemoryCheck(model: model, training: training, threads: threads, available: available)
            return nil
        } catch {
            return (error as? UserError)?.message ?? "\(error)"
        }
    }

    private static func ring(values: TrainingConfiguration, ranks: Int, bandwidth: Bandwidth?) throws -> Ring? {
        guard ranks > 1 else { return nil }
        let sequences = values.gradientAccumulationSteps * values.batchSize
        guard ranks <= sequences else {
            throw UserError(
                .usage,
                """
                ranks=\(ranks): an iteration has \(sequences) sequences (gradient_accumulation_steps x batch_size), so at most \
                \(sequences) ranks have something to do
                """
            )
        }
        guard let bandwidth else {
            throw UserError(
                .usage,
                "ranks=\(ranks): how fast is the network between them? Give --bandwidth in \(Bandwidth.forms)"
            )
        }
        return Ring(ranks: ranks, bandwidth: bandwidth)
    }

    /// Of all ranks together, by the time of a step without evaluations.
    public var tokensPerSecond: Double { Double(values.tokensPerIteration) / time.step }

    /// Share of a step's chunks that a rank with less to do than others waits.
    var idleShare: Double {
        let sequences = values.gradientAccumulationSteps * values.batchSize
        return 1 - Double(sequences) / Double(ranks * time.sequencesPerRank)
    }
}
