import Formats
import Transformer

extension GenerationBenchmark {
    /// What was measured: a time for each repetition.
    package struct Result: Sendable {
        /// What was asked for.
        package let benchmark: GenerationBenchmark
        /// The ids that were given.
        package let prompt: [Int32]
        /// The first sample's tokens.
        package internal(set) var ids: [Int32] = []
        /// From the beginning to the first token.
        package internal(set) var promptSeconds: [Double] = []
        /// From the first token to the last.
        package internal(set) var decodeSeconds: [Double] = []
        /// Bytes a second, see `readBandwidth`.
        package internal(set) var readBandwidth = 0.0

        init(benchmark: GenerationBenchmark, prompt: [Int32]) {
            self.benchmark = benchmark
            self.prompt = prompt
        }

        /// New tokens over the whole time, prompt included: what a call of transformers' `generate` is measured by. Median.
        package var tokensPerSecond: Double {
            let tokens = Double(benchmark.newTokens * benchmark.samples)
            return Spread(zip(promptSeconds, decodeSeconds).map { tokens / ($0 + $1) }).median
        }

        /// Tokens of the prompt over the time until the first token is there. Median.
        package var promptTokensPerSecond: Double {
            Spread(promptSeconds.map { Double(benchmark.promptTokens) / $0 }).median
        }

        /// Tokens after the first over their time. Median.
        package var decodeTokensPerSecond: Double {
            let tokens = Double((benchmark.newTokens - 1) * benchmark.samples)
            return Spread(decodeSeconds.map { tokens / $0 }).median
        }

        /// Bytes of weights that a token needs to be read: all but the embeddings of other positions.
        package static func weightBytes(_ configuration: GPTConfiguration) -> Int {
            let layout = ParameterLayout(configuration)
            return 4 * (layout.count - layout.positionEmbedding.count)
        }

        /// Bytes of weights a second while decoding, over the bandwidth of reading alone.
        package func bandwidthShare(_ configuration: GPTConfiguration) -> Double {
            let passes = decodeTokensPerSecond / Double(benchmark.samples)
            return passes * Double(Self.weightBytes(configuration)) / readBandwidth
        }

        /// One object: counts, speeds, seconds of each repetition, and the ids.
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
