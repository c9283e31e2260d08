import ArgumentParser
import Configuration
import Formats
import Performance
import Platform
import Training

extension BenchPreset: ExpressibleByArgument {}

/// `ddp-train bench`: how fast this machine trains.
struct Bench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure whole training steps: speed, share of the machine's peak, memory, time by part.",
        discussion: """
            A step is forward, backward, clipping and AdamW on random tokens, by the code that trains. The machine's peak in \
            matrix products is measured in the same run, between the steps; the time by part in steps of its own.

              ddp-train bench --preset=gpt2 --steps=5
              ddp-train bench --n_layer=8 --n_embd=512 --n_head=8 --json
              ddp-train bench --attention --preset=gpt2
            """
    )

    @Option(help: "The shape to start from; options below change it.")
    var preset = BenchPreset.baby

    @OptionGroup(title: "Shape") var shape: BenchShapeOptions
    @OptionGroup(title: "Measurement") var measurement: BenchMeasurementOptions
    @OptionGroup(title: ConfigurationKey.Group.compatibility.rawValue) var device: RegistryOptions<DeviceSelection>

    func run() throws {
        try device.check()
        let options = shape.run.given + measurement.run.given
        let vocabularySize = try shape.vocabularySize?.whole("vocab_size", atLeast: 1, atMost: 1 << 24)
        let shape = try preset.shape(with: options, vocabularySize: vocabularySize)
        let warmUp = try measurement.warmUp?.whole("warmup", atLeast: 0, atMost: 100_000)
        let steps = try measurement.steps?.whole("steps", atLeast: 1, atMost: 1_000_000)
        let output = RunOutput()
        let (lines, json) =
            measurement.attention
            ? try attention(shape, warmUp: warmUp, steps: steps, output: output)
            : try wholeSteps(shape, warmUp: warmUp, steps: steps, output: output)
        output.clearProgress()
        try Console.output((measurement.json ? json.text() : lines.joined(separator: "\n")) + "\n")
    }

    private func wholeSteps(
        _ shape: BenchShape,
        warmUp: Int?,
        steps: Int?,
        output: RunOutput
    ) throws -> ([String], JSONValue) {
        let benchmark = StepBenchmark(shape: shape, warmUp: warmUp ?? 2, steps: steps)
        let result = try benchmark.run { output.progress($0) }
        return (result.lines, result.json)
    }

    /// Only what shapes attention may be given.
    private func attention(
        _ shape: BenchShape,
        warmUp: Int?,
        steps: Int?,
        output: RunOutput
    ) throws -> ([String], JSONValue) {
        let vocabularySize = self.shape.vocabularySize.map { [("vocab_size", $0.text)] } ?? []
        let taken = ConfigurationKey.of([\.headCount, \.embeddingSize, \.blockSize]).map(\.name)
        if let option = (self.shape.run.given + vocabularySize).first(where: { !taken.contains($0.name) }) {
            throw UserError(
                .usage,
                """
                \(option.name)=\(option.value): does nothing with --attention, which has n_head, n_embd and \
                block_size; leave it out
                """
            )
        }
        let hasLength = self.shape.run.isGiven(\.blockSize)
        let benchmark = AttentionBenchmark(
            headCount: shape.model.headCount,
            headSize: shape.model.headSize,
            lengths: hasLength ? [shape.model.blockSize] : AttentionBenchmark.defaultLengths,
            threads: shape.threads,
            warmUp: warmUp ?? 1,
            repetitions: steps
        )
        let comparisons = try benchmark.run { output.progress($0) }
        return (benchmark.lines(comparisons), benchmark.json(comparisons))
    }
}

struct BenchShapeOptions: ParsableArguments {
    @OptionGroup var run: RegistryOptions<BenchShapeSelection>

    @Option(
        name: .customLong("vocab_size"),
        help: ArgumentHelp(
            """
            Different tokens. (default: \(Preset.baby.vocabularySize); \(Preset.gpt2.vocabularySize) for gpt2, gpt2-medium and \
            large)
            """,
            valueName: "n"
        )
    )
    var vocabularySize: NumberText?
}

/// Options of a run that make the shape of a benchmark, with its own defaults.
enum BenchShapeSelection: RegistrySelection {
    static let options: [RegistryOption] = [
        .init(\.layerCount, default: "the preset's"),
        .init(\.headCount, default: "the preset's"),
        .init(\.embeddingSize, default: "the preset's"),
        .init(\.blockSize, default: "the preset's; with --attention 64 to 4096"),
        .init(\.batchSize, default: "the preset's; 1 for gpt2 and gpt2-medium"),
        .init(\.gradientAccumulationSteps, default: "1"),
        .init(\.dropout, default: "the preset's"),
        .init(\.bias, default: "the preset's"),
        .init(\.activation, default: "the preset's"),
    ]
}

struct BenchMeasurementOptions: ParsableArguments {
    @OptionGroup var run: RegistryOptions<ThreadSelection>

    @Option(
        help: ArgumentHelp(
            "Steps to measure; with --attention, passes. (default: as many as take 10 s, 5 to 200; passes half a second, 3 to 50)",
            valueName: "n"
        )
    )
    var steps: NumberText?

    @Option(
        name: .customLong("warmup"),
        help: ArgumentHelp("Steps before those. (default: 2; with --attention 1)", valueName: "n")
    )
    var warmUp: NumberText?

    @Flag(help: "Set the tiled attention beside a plain one, over block sizes, instead of measuring steps.")
    var attention = false

    @Flag(help: "Print one JSON object.")
    var json = false
}

enum ThreadSelection: RegistrySelection {
    static let options = [RegistryOption(\.threads)]
}
