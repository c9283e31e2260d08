import ArgumentParser
import Compute
import Configuration
import Formats
import Foundation
import Performance
import Platform
import Training
import Transformer

/// `ddp-train bench-generate`: how fast a model generates on this machine.
struct BenchGenerate: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-generate",
        abstract: "Measure the speed of generating text.",
        discussion: """
            Takes random ids as a prompt and the likeliest token each time, so that a model without a tokenizer serves too. The \
            medians are printed: tokens a second over the whole, prompt included; of the prompt; of each token after the first, \
            and which share of this machine's read bandwidth that is, since a token is bound by reading the weights.
            """
    )

    @Option(
        name: .customLong("init_from"),
        help: ArgumentHelp(
            "A run's or checkpoint's folder, or a model of another tool, as sample takes it. (default: random weights)",
            valueName: "path"
        )
    )
    var initFrom: String?

    @Option(help: ArgumentHelp("The shape of a model with random weights.", valueName: "preset"))
    var preset: Preset?

    @Option(name: .customLong("prompt_tokens"), help: ArgumentHelp("Tokens in the prompt.", valueName: "n"))
    var promptTokens: NumberText = 32

    @Option(name: .customLong("max_new_tokens"), help: ArgumentHelp("Tokens to generate.", valueName: "n"))
    var maxNewTokens: NumberText = 64

    @Option(name: .customLong("num_samples"), help: ArgumentHelp("Samples at once.", valueName: "n"))
    var sampleCount: NumberText = 1

    @Option(help: ArgumentHelp("How often each is measured.", valueName: "n"))
    var repeats: NumberText = 5

    @Option(help: ArgumentHelp("Decides the prompt and random weights.", valueName: "n"))
    var seed: NumberText = 1337

    @Option(help: NumberText.threadsHelp)
    var threads: NumberText = 0

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
        let benchmark = GenerationBenchmark(
            promptTokens: try promptTokens.whole("prompt_tokens", atLeast: 1),
            newTokens: try maxNewTokens.whole("max_new_tokens", atLeast: 2),
            samples: try sampleCount.whole("num_samples", atLeast: 1, atMost: Generator.maximumSamples),
            repetitions: try repeats.whole("repeats", atLeast: 1, atMost: 1000),
            seed: try seed.seed()
        )
        let model = try loadModel()
        guard benchmark.promptTokens <= model.configuration.blockSize else {
            throw UserError(
                .usage,
                "prompt_tokens=\(benchmark.promptTokens): must be at most the model's block_size, \(model.configuration.blockSize)"
            )
        }
        let output = RunOutput()
        let result = benchmark.run(model) { output.progress("generating, \($0) of \(benchmark.repetitions)") }
        output.clearProgress()
        guard !json else { return try Console.output(result.json(of: model).text() + "\n") }
        let text = String(
            format: """
                %.1f tokens/s (%d tokens after a prompt of %d, %d at once, %d threads)
                prompt %.0f tokens/s, each further token %.1f tokens/s: %.0f%% of %.1f GB/s of reading
                """,
            result.tokensPerSecond,
            benchmark.newTokens,
            benchmark.promptTokens,
            benchmark.samples,
            model.pool.threadCount,
            result.promptTokensPerSecond,
            result.decodeTokensPerSecond,
            result.bandwidthShare(model.configuration) * 100,
            result.readBandwidth / 1e9
        )
        try Console.output(text + "\n")
    }

    private func loadModel() throws -> GPT {
        if let initFrom {
            guard preset == nil else {
                throw UserError(.usage, "init_from=\(initFrom) has a shape of its own: leave --preset out")
            }
            guard initFrom != "resume" else {
                throw UserError(
                    .usage,
                    "init_from=resume names no model: name the run's folder, such as --init_from=out"
                )
            }
            var arguments = ModelArguments()
            arguments.initFrom = initFrom
            arguments.which = .best
            (arguments.from, arguments.tokenizer) = (nil, nil)
            (arguments.run, arguments.namedOutDir) = (nil, nil)
            (arguments.headCountText, arguments.threads) = (nil, threads)
            return try arguments.load().model
        }
        let pool = WorkerPool(threadCount: try threads.threads())
        let preset = preset ?? .gpt2
        let model = GPT(
            configuration: preset.values.model(vocabularySize: preset.vocabularySize),
            context: ComputeContext(pool: pool),
            forTraining: false
        )
        model.initializeParameters(seed: try seed.seed())
        return model
    }
}

extension Preset: ExpressibleByArgument {}
