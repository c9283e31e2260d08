import Collectives
import Compute
import Configuration
import Datasets
import Platform
import Transformer

/// What a run says before it begins: model, data, a step, memory, machine, and how long it may take.
struct RunHeader {
    let configuration: TrainingConfiguration
    let model: GPTConfiguration
    let dataset: Dataset
    let memory: MemoryCheck
    let threads: Int
    /// Floating-point operations a second of matrix products on this machine.
    let peak: Double
    /// How the ranks share the work; nil for one rank.
    let ranks: String?
    /// Updates and evaluations to be made, and the tokens of one evaluation.
    let steps: Int
    let evaluations: Int
    let tokensPerEvaluation: Int

    /// Counted operations run at about this share of the peak; measured figures replace it after some steps.
    private static let assumedShare = 0.5

    var lines: [String] {
        let parameters = ParameterLayout(model).count
        let tokenizer = dataset.tokenizer.map { " (\($0.name))" } ?? ""
        let free = memory.available.map { "; \(ByteCount.text($0)) free" } ?? ""
        let perStep = configuration.tokensPerIteration
        let passes = Double(configuration.maxIters) * Double(perStep) / Double(dataset.train.count)
        return [
            """
            model: \(model.layerCount) layers, \(model.headCount) heads, width \(model.embeddingSize), \
            block \(model.blockSize): \(Self.millions(parameters)) parameters
            """,
            """
            data: \(dataset.name), \(Numbers.grouped(dataset.train.count)) train and \
            \(Numbers.grouped(dataset.validation.count)) val tokens, \(Numbers.grouped(dataset.vocabularySize)) \
            different\(tokenizer)
            """,
            """
            iteration: \(configuration.gradientAccumulationSteps) x \(configuration.batchSize) sequences of \
            \(model.blockSize) = \(Numbers.grouped(perStep)) tokens; max_iters \(Numbers.grouped(configuration.maxIters)) \
            read the data \(Numbers.fixed(passes, passes < 10 ? 1 : 0)) times
            """,
            "memory: about \(memory.text)\(free)",
            """
            machine: \(threads) \(threads == 1 ? "thread" : "threads"), \(Kernels.standard.instructionSet), \
            \(Numbers.fixed(peak / 1e9, 0)) GFLOP/s in matrix products
            """,
        ] + saving + (ranks.map { [$0] } ?? []) + [
            "expected: \(RunClock.text(seconds: expectedSeconds))\(Self.advice(seconds: expectedSeconds, model: model))"
        ]
    }

    /// Only where it costs time that it need not.
    private var saving: [String] {
        guard !memory.hasRoomForCopy, steps > 0 else { return [] }
        let copy = ByteCount.text(memory.plan.checkpointCopy)
        return [
            "saving: training waits for each checkpoint, as there is no memory for a copy of \(copy) to write it from"
        ]
    }

    /// A guess before anything is measured. A forward pass takes a third of a step's operations.
    private var expectedSeconds: Double {
        let tokens =
            Double(steps) * Double(configuration.tokensPerIteration)
            + Double(evaluations) * Double(tokensPerEvaluation) / 3
        return tokens * model.operationsPerToken / (peak * Self.assumedShare)
    }

    /// What to do about a run that nobody will wait for.
    static func advice(seconds: Double, model: GPTConfiguration) -> String {
        guard seconds > 3 * 86400 else { return "" }
        let smaller = ParameterLayout(model).count > 15_000_000 ? Preset.small : .tiny
        return "; see --preset=\(smaller.rawValue), or lower --max_iters"
    }

    /// `ranks: 4 on 2 machines, 3 or 4 sequences of an iteration each, so 6.2% of their time is idle`
    static func ranks(_ communicator: Communicator, sequences: Int) -> String? {
        let count = communicator.worldSize
        guard count > 1 else { return nil }
        let machines = Set(communicator.members.map(\.host)).count
        let shares = (0..<count).map { TrainingStep.share(of: sequences, rank: $0, worldSize: count).count }
        let (fewest, most) = (shares.min()!, shares.max()!)
        // While those with the most work on, the others wait.
        let idle = 1 - Double(sequences) / Double(count * most)
        let dealt =
            fewest == most
            ? "\(most) sequences of an iteration each"
            : "\(fewest) or \(most) sequences of an iteration each, so \(Numbers.fixed(idle * 100, 1))% of their time is idle"
        return "ranks: \(count) on \(machines) \(machines == 1 ? "machine" : "machines"), \(dealt)"
    }

    static func millions(_ count: Int) -> String { Numbers.fixed(Double(count) / 1e6, 2) + "M" }
}
