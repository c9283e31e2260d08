import ArgumentParser
import Configuration
import Platform
import Tokenizers
import Training
import Transformer

/// `ddp-train sample`: text from a trained model, and nothing else, on standard output.
struct Sample: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Generate text with a trained model.",
        discussion: """
            Samples go to standard output one after the other, with a line of dashes between two. Up to eight are made at once, \
            which costs little more than one: the first is written as it grows, the others after it.
            """
    )

    @OptionGroup(title: "Model") var source: ModelArguments

    @Option(
        help: ArgumentHelp(
            "What the text begins with: text, FILE:path, or - for standard input. (default: a new line)",
            valueName: "text"
        )
    )
    var start: String?

    @Option(name: .customLong("num_samples"), help: ArgumentHelp("Samples to write.", valueName: "n"))
    var sampleCount: NumberText = 10

    @Option(name: .customLong("max_new_tokens"), help: ArgumentHelp("Tokens in a sample.", valueName: "n"))
    var maxNewTokens: NumberText = 500

    @Option(
        help: ArgumentHelp(
            "Below 1 more predictable, above 1 more random; 0 always takes the likeliest token.",
            valueName: "x"
        )
    )
    var temperature: NumberText = 0.8

    @Option(
        name: .customLong("top_k"),
        help: ArgumentHelp("Draw among the likeliest k tokens; 0 for all.", valueName: "n")
    )
    var topK: NumberText = 200

    @Option(
        name: .customLong("top_p"),
        help: ArgumentHelp("Draw among the likeliest tokens that together have this probability.", valueName: "x")
    )
    var topP: NumberText = 1.0

    @Option(help: ArgumentHelp("Decides what is drawn.", valueName: "n"))
    var seed: NumberText = 1337

    @Option(
        help: ArgumentHelp(
            "Text that ends a sample where it occurs after the start, and is not written; \\n is a new line. May be repeated.",
            valueName: "text"
        )
    )
    var stop: [String] = []

    @OptionGroup(title: ConfigurationKey.Group.compatibility.rawValue) var device: RegistryOptions<DeviceSelection>

    func run() throws {
        try device.check()
        let sampleCount = try sampleCount.whole("num_samples", atLeast: 1)
        guard !stop.contains("") else {
            throw UserError(.usage, "stop is empty: leave it out where no text ends a sample")
        }
        let stops = StopTexts(stop.map { Array($0.resolvingEscapes.utf8) })
        var options = try options()
        let source = try source.load()
        let tokenizer = try source.requiredTokenizer()
        options.allowedVocabulary = min(tokenizer.vocabularySize, source.model.configuration.vocabularySize)
        options.stopToken = tokenizer.endOfText
        let (prompt, echo) = try prompt(tokenizer)

        let generator = Generator(model: source.model)
        for samples in Generator.groups(of: sampleCount, model: source.model) {
            var writer = SampleStream(tokenizer: tokenizer, samples: samples, echo: echo, stops: stops)
            try writer.begin()
            var failure: (any Error)?
            generator.generate(prompt: prompt, options: options, samples: samples) { sample, token in
                do {
                    return try writer.add(token, to: sample)
                } catch {
                    failure = error
                    return false
                }
            }
            if let failure { throw failure }
            try writer.end()
        }
    }

    private func options() throws -> SamplingOptions {
        let topK = try topK.whole("top_k", atLeast: 0)
        let topP = try topP.number("top_p", "more than 0 and at most 1") { $0 > 0 && $0 <= 1 }
        return SamplingOptions(
            temperature: try temperature.number("temperature", "at least 0") { $0 >= 0 },
            topK: topK == 0 ? nil : topK,
            topP: topP == 1 ? nil : topP,
            seed: try seed.seed(),
            maxNewTokens: try maxNewTokens.whole("max_new_tokens", atLeast: 0),
            allowedVocabulary: 0
        )
    }

    /// The ids to begin with, and the text that a reader should see for them.
    private func prompt(_ tokenizer: any Tokenizer) throws -> (ids: [Int32], text: [UInt8]) {
        guard let start else { return tokenizer.defaultPrompt }
        let text = try Console.text(of: start)
        do {
            let ids = try tokenizer.encodePrompt(text)
            return ids.isEmpty ? ([tokenizer.startToken], []) : (ids, text)
        } catch let error as UserError {
            throw UserError(error.kind, "--start: \(error.message)")
        }
    }
}

/// Samples that grow side by side, written one after the other: the first as it grows, the others when it is their turn.
private struct SampleStream {
    private let tokenizer: any Tokenizer
    private let first: Int
    private let echo: [UInt8]
    /// One for each sample.
    private var stops: [StopTexts]
    /// What each sample has that is not written.
    private var waiting: [[UInt8]]

    init(tokenizer: any Tokenizer, samples: Range<Int>, echo: [UInt8], stops: StopTexts) {
        self.tokenizer = tokenizer
        first = samples.lowerBound
        self.echo = echo
        self.stops = Array(repeating: stops, count: samples.count)
        waiting = Array(repeating: [], count: samples.count)
    }

    func begin() throws {
        if first > 0 { try Console.output("---------------\n") }
        try Console.output(echo)
    }

    /// - Returns: whether the sample goes on.
    mutating func add(_ token: Int32, to sample: Int) throws -> Bool {
        let (text, isStopped) = stops[sample - first].add(tokenizer.decode([token]))
        if sample == first { try Console.output(text) } else { waiting[sample - first] += text }
        return !isStopped
    }

    func end() throws {
        for (index, text) in waiting.enumerated() {
            let beginning = index == 0 ? [] : Array("---------------\n".utf8) + echo
            try Console.output(beginning + text + stops[index].rest + Array("\n".utf8))
        }
    }
}
