import Compute
import Configuration
import Platform
import Training
import Transformer

/// The estimated memory and time of a run, measured before it starts.
package struct RunPlan: Sendable {
    package let values: TrainingConfiguration
    /// The shape of the model with these options and data.
    package let model: GPTConfiguration
    package let data: PlannedData
    /// The number of ranks, at least 1.
    package let ranks: Int
    /// The speed of each rank's link; nil only for one rank.
    package let bandwidth: Bandwidth?
    /// The number of worker threads per rank.
    package let threads: Int
    /// The memory of one rank, in bytes.
    package let memory: MemoryPlan
    /// The free memory of this machine in bytes; nil if unknown.
    package let available: Int?
    /// Why the configuration does not fit this machine's memory, in one line; nil if it fits.
    package let refusal: String?
    package let time: TimePlan
    /// The speed of matrix products, in floating-point operations per second.
    package let peak: Double
    /// The speed of copying memory with all threads, in bytes read plus written per second.
    package let copyBandwidth: Double
    /// The speed of saving a checkpoint, in bytes per second; nil if the output folder cannot be written.
    package let storage: Double?

    /// Measures this machine for a few seconds and computes the plan.
    ///
    /// - Parameters:
    ///   - weights: the shape of the weights from which a new run starts.
    ///   - bandwidth: the speed of each rank's network link; required for several ranks.
    ///   - iteration: the iteration at which a resumed run continues.
    /// - Throws: `UserError(.usage)` if there are more ranks than sequences in a step, if `bandwidth` is missing, or if
    ///   not even the measured pieces of the model fit this machine's memory.
    package init(
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
        // Even a single layer may be too large.
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
        // The measured models are freed now, so the resident memory is that of the program without a model.
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

    /// The message with which training would refuse to start because of memory; nil if it would start.
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
                ranks=\(ranks): an iteration has \(sequences) sequences (gradient_accumulation_steps x batch_size), so \
                use at most \(sequences) ranks
                """
            )
        }
        guard let bandwidth else {
            throw UserError(
                .usage,
                "ranks=\(ranks): the speed of the network is missing; give --bandwidth in \(Bandwidth.forms)"
            )
        }
        return Ring(ranks: ranks, bandwidth: bandwidth)
    }

    /// Tokens per second of all ranks together, without evaluations.
    package var tokensPerSecond: Double { Double(values.tokensPerIteration) / time.step }

    /// The share of the ranks' time that is spent waiting because ranks have unequal numbers of sequences.
    var idleShare: Double {
        let sequences = values.gradientAccumulationSteps * values.batchSize
        return 1 - Double(sequences) / Double(ranks * time.sequencesPerRank)
    }
}
