import Formats
import Transformer

extension GenerationBenchmark {
    /// The measured times, one per repetition.
    package struct Result: Sendable {
        package let benchmark: GenerationBenchmark
        /// The ids of the prompt.
        package let prompt: [Int32]
        /// The ids that the first sample of the last repetition generated.
        package internal(set) var ids: [Int32] = []
        /// The time from the start to the first token.
        package internal(set) var promptSeconds: [Double] = []
        /// The time from the first token to the last.
        package internal(set) var decodeSeconds: [Double] = []
        /// The result of `GenerationBenchmark.readBandwidth`, in bytes per second.
        package internal(set) var readBandwidth = 0.0

        init(benchmark: GenerationBenchmark, prompt: [Int32]) {
            self.benchmark = benchmark
            self.prompt = prompt
        }

        /// Median of new tokens per second over the whole time including the prompt, as usually reported for `generate`
        /// of Hugging Face transformers.
        package var tokensPerSecond: Double {
            let tokens = Double(benchmark.newTokens * benchmark.samples)
            return Spread(zip(promptSeconds, decodeSeconds).map { tokens / ($0 + $1) }).median
        }

        /// Median of prompt tokens divided by the time to the first token.
        package var promptTokensPerSecond: Double {
            Spread(promptSeconds.map { Double(benchmark.promptTokens) / $0 }).median
        }

        /// Median of tokens per second after the first token.
        package var decodeTokensPerSecond: Double {
            let tokens = Double((benchmark.newTokens - 1) * benchmark.samples)
            return Spread(decodeSeconds.map { tokens / $0 }).median
        }

        /// The bytes of weights that must be read per token: all except the position embeddings.
        package static func weightBytes(_ configuration: GPTConfiguration) -> Int {
            let layout = ParameterLayout(configuration)
            return 4 * (layout.count - layout.positionEmbedding.count)
        }

        /// The bytes of weights read per second while decoding, divided by the bandwidth of reading alone.
        package func bandwidthShare(_ configuration: GPTConfiguration) -> Double {
            let passes = decodeTokensPerSecond / Double(benchmark.samples)
            return passes * Double(Self.weightBytes(configuration)) / readBandwidth
        }

        /// Counts, speeds, the seconds of each repetition, and the ids, as a JSON object.
        package func json(of model: GPT) -> JSONValue {
            .object([
                .init("parameters", .integer(model.layout.count)),
                .init("threads", .integer(model.pool.threadCount)),
                .init("prompt_tokens", .integer(benchmark.promptTokens)),
                .init("max_new_tokens", .integer(benchmark.newTokens)),
                .init("num_samples", .integer(benchmark.samples)),
                .init("repeats", .integer(benchmark.repetitions)),
                .init("tokens_per_second", .number(tokensPerSecond)),
                .init("prompt_tokens_per_second", .number(promptTokensPerSecond)),
                .init("decode_tokens_per_second", .number(decodeTokensPerSecond)),
                .init("weight_bytes_per_token", .integer(Self.weightBytes(model.configuration))),
                .init("read_bytes_per_second", .number(readBandwidth)),
                .init("read_bandwidth_share", .number(bandwidthShare(model.configuration))),
                .init("prompt_seconds", .array(promptSeconds.map(JSONValue.number))),
                .init("decode_seconds", .array(decodeSeconds.map(JSONValue.number))),
                .init("prompt_ids", .array(prompt.map { .integer(Int($0)) })),
                .init("ids", .array(ids.map { .integer(Int($0)) })),
            ])
        }
    }
}
