import Compute
import Transformer

/// Measures the speed of generation: the whole, the prompt, and the tokens after the first.
///
/// ```
/// let result = GenerationBenchmark(promptTokens: 32, newTokens: 64).run(gpt)
/// print(result.json(of: gpt).text())
/// ```
/// Decoding is greedy, so a model gives the same ids on every machine, up to rounding.
package struct GenerationBenchmark: Sendable {
    /// At least 1.
    package var promptTokens: Int
    /// At least 2, because the time of the first token counts for the prompt.
    package var newTokens: Int
    /// The number of samples generated in parallel.
    package var samples: Int
    /// The number of measured generations, at least 1.
    package var repetitions: Int
    /// The seed of the prompt's random ids.
    package var seed: UInt64

    package init(promptTokens: Int, newTokens: Int, samples: Int = 1, repetitions: Int = 3, seed: UInt64 = 1337) {
        precondition(promptTokens >= 1 && newTokens >= 2 && repetitions >= 1)
        self.promptTokens = promptTokens
        self.newTokens = newTokens
        self.samples = samples
        self.repetitions = repetitions
        self.seed = seed
    }

    /// A prompt of random ids.
    package func prompt(vocabularySize: Int) -> [Int32] {
        let random = CounterRandom(seed: seed, stream: .sampling, site: 1)
        return (0..<promptTokens).map { Int32(random.integer(UInt32($0), below: vocabularySize)) }
    }

    /// Generates once without measuring, then `repetitions` times.
    ///
    /// - Parameter progress: called after each repetition with its number, from 1.
    package func run(_ model: GPT, progress: (Int) -> Void = { _ in }) -> Result {
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

    /// Measures how fast all workers together read the model's parameters, in bytes per second: the best of `rounds`.
    /// Generating a token reads nearly all parameters, so this limits the speed if they do not fit in a cache.
    package static func readBandwidth(_ model: GPT, rounds: Int = 8) -> Double {
        // Dot products of one half with the other: each worker reads two streams and computes little.
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
