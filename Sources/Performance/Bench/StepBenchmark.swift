import Compute
import Datasets
import Platform
import Training
import Transformer

/// Measures whole training steps on random tokens: forward, backward, clipping and update, with the trainer's code.
///
/// One process measures the machine's peak in matrix products before, between and after the steps. Then it runs some
/// more steps to measure the time by part, so that recording does not slow down the measured steps.
package struct StepBenchmark: Sendable {
    package let shape: BenchShape
    /// The number of steps before the measurement. They touch memory for the first time.
    package let warmUp: Int
    /// The number of steps to measure. Nil means about ten seconds, at least 5 and at most 200 steps.
    package let steps: Int?

    package init(shape: BenchShape, warmUp: Int = 2, steps: Int? = nil) {
        self.shape = shape
        self.warmUp = warmUp
        self.steps = steps
    }

    /// - Parameter progress: receives frequent status lines.
    /// - Throws: `UserError(.usage)` if the shape does not fit this machine's memory, `UserError(.other)` if a loss or
    ///   gradient is not finite.
    package func run(progress: (String) -> Void = { _ in }) throws -> StepMeasurement {
        _ = try MemoryCheck(model: shape.model, training: shape.training, threads: shape.threads)
        let pool = WorkerPool(threadCount: shape.threads)
        let step = try trainingStep(pool: pool)
        var iteration = 0
        func makeStep(_ what: @autoclosure () -> String) throws -> Double {
            let start = ContinuousClock.now
            do {
                _ = try step.update(
                    iteration,
                    progress: { done in progress("\(what()), \(done) of \(step.sequences) sequences") }
                )
            } catch let error as TrainingStep.NonFinite {
                throw UserError(
                    .other,
                    """
                    step \(error.iteration + 1) on random tokens has loss \(error.loss) and gradient norm \
                    \(error.gradientNorm); run `ddp-train doctor` to check the matrix products, or use fewer layers or \
                    less dropout
                    """
                )
            }
            iteration += 1
            return (ContinuousClock.now - start) / .seconds(1)
        }

        progress("measuring the machine's matrix products")
        var peak = MachinePeak.measure(pool: pool)
        var last = 0.0
        for index in 0..<warmUp { last = try makeStep("warm-up step \(index + 1) of \(warmUp)") }
        let count = steps ?? Self.count(lasting: 10, each: warmUp > 0 ? last : 0, in: 5...200)
        var seconds: [Double] = []
        for index in 0..<count {
            if index > 0, index == count / 2 { peak = max(peak, MachinePeak.measure(pool: pool)) }
            seconds.append(try makeStep("step \(index + 1) of \(count), \(Self.milliseconds(seconds.last))"))
        }
        peak = max(peak, MachinePeak.measure(pool: pool))
        let peakMemory = ProcessMemory.peak

        let profile = Profile(pool: pool)
        let profiled = Self.count(lasting: 2, each: Spread(seconds).median, in: 1...20)
        for index in 0..<profiled {
            _ = try profile.record { try makeStep("time by part: step \(index + 1) of \(profiled)") }
        }
        return StepMeasurement(
            shape: shape,
            warmUp: warmUp,
            seconds: seconds,
            peak: peak,
            peakMemory: peakMemory,
            profile: PartTimes(profile)
        )
    }

    private func trainingStep(pool: WorkerPool) throws -> TrainingStep {
        let model = GPT(configuration: shape.model, context: ComputeContext(pool: pool))
        let seed = UInt64(shape.training.seed)
        model.initializeParameters(seed: seed)
        let sequences = shape.training.batchSize * shape.training.gradientAccumulationSteps
        return TrainingStep(
            model: model,
            optimizer: Optimizer(layout: model.layout, configuration: shape.training),
            sampler: try BatchSampler(
                sequence: Self.randomTokens(
                    below: shape.model.vocabularySize,
                    blockSize: shape.model.blockSize,
                    seed: seed
                ),
                blockSize: shape.model.blockSize,
                sequencesPerStep: sequences,
                order: .random,
                seed: seed
            ),
            configuration: shape.training
        )
    }

    /// 2¹⁸ random tokens, or more for a large block size.
    private static func randomTokens(below vocabularySize: Int, blockSize: Int, seed: UInt64) throws -> TokenSequence {
        let random = CounterRandom(seed: seed, stream: .corpus)
        let tokens = (0..<max(1 << 18, 2 * blockSize)).map { index in
            Int32(random.integer(UInt32(index), below: vocabularySize))
        }
        return try TokenSequence(tokens: tokens, vocabularySize: vocabularySize, source: "random tokens")
    }

    private static func count(lasting seconds: Double, each: Double, in range: ClosedRange<Int>) -> Int {
        each > 0 ? min(range.upperBound, max(range.lowerBound, Int(min(seconds / each, 1e6)))) : range.lowerBound
    }

    private static func milliseconds(_ seconds: Double?) -> String {
        seconds.map { "\(Numbers.fixed($0 * 1000, 1)) ms each" } ?? "no time yet"
    }
}
