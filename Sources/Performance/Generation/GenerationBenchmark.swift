import Compute
import Transformer

/// How fast a model generates: the whole of it, the prompt, and each token after the first, several times.
///
/// ```
/// let result = GenerationBenchmark(promptTokens: 32, newTokens: 64).run(gpt)
/// print(result.json(of: gpt).text())
/// ```
/// Always the likeliest token is taken, so the same model gives the same ids everywhere, up to rounding.
public struct GenerationBenchmark: Sendable {
    /// Tokens of the prompt, at least 1.
    public var promptTokens: Int
    /// At least 2: the time of the first is that of the prompt.
    public var newTokens: Int
    /// Samples generated at once, at most `Generator.maximumSamples`.
    public var samples: Int
    /// Measured generations, at least 1.
    public var repetitions: Int
    /// Of the prompt's random ids.
    public var seed: UInt64

    /// Traps at counts that are too small.
    public init(promptTokens: Int, newTokens: Int, samples: Int = 1, repetitions: Int = 3, seed: UInt64 = 1337) {
        precondition(promptTokens >= 1 && newTokens >= 2 && repetitions >= 1)
        self.promptTokens = promptTokens
        self.newTokens = newTokens
        self.samples = samples
        self.repetitions = repetitions
        self.seed = seed
    }

    /// The prompt of random ids, a function of the seed.
    public func prompt(vocabularySize: Int) -> [Int32] {
        let random = CounterRandom(seed: seed, stream: .sampling, site: 1)
        return (0..<promptTokens).map { Int32(random.integer(UInt32($0), below: vocabularySize)) }
    }

    /// Generates `repetitions` times, after once unmeasured.
    ///
    /// - Parameter progress: called after each with its number.
    public func run(_ model: GPT, progress: (Int) -> Void = { _ in }) -> Result {
        let vocabularySize = model.configuration.vocabularySize
        let prompt = prompt(vocabularySize: vocabularySize)
        let options = SamplingOptions(
            temperature: 0,
            topK: nil,
            maxNewTokens: newTokens,
            allowedVocabulary: vocabularySize
        )
        let generator = Generator(model: model)
        let clock = ContinuousClock()
        var result = Result(benchmark: self, prompt: prompt)
        for repetition in 0...repetitions {
            result.ids = []
            let start = clock.now
            var first = start
            generator.generate(prompt: prompt, options: options, samples: 0..<samples) { sample, token in
                if sample == 0 { result.ids.append(token) }
                if sample == samples - 1, result.ids.count == 1 { first = clock.now }
                return true
            }
            let end = clock.now
            guard repetition > 0 else { continue }
            result.promptSeconds.append((first - start) / .seconds(1))
            result.decodeSeconds.append((end - first) / .seconds(1))
            progress(repetition)
        }
        result.readBandwidth = Self.readBandwidth(model)
        return result
    }

    /// Bytes a second at which this model's workers together read its parameters when they do little else: the best of
    /// `rounds`. A token reads nearly all of them, so this is its limit where they do not fit a cache.
    public static func readBandwidth(_ model: GPT, rounds: Int = 8) -> Double {
        // Products of one half with the other: two streams a worker, and one operation for two cache lines.
        let half = model.parameters.count / 2
        let piece = 65536
        let tasks = (half + piece - 1) / piece
        let sums = FloatBuffer(count: tasks)
        let (parameters, results) = (model.parameters.base, sums.base)
        var best = 0.0
        for _ in 0..<rounds {
            let seconds = ContinuousClock.seconds {
                model.pool.run(tasks) { task, _ in
                    let first = parameters + task * piece
                    let count = min(piece, half - task * piece)
                    Kernels.standard.table.dot_rows(results + task, first, count, first + half, count, 1, count)
                }
            }
            best = max(best, Double(2 * half * 4) / seconds)
        }
        return best
    }
}
