import Compute

/// Generates text with a model, one token at a time, from cached keys and values.
///
/// ```
/// let generator = Generator(model: gpt)
/// generator.generate(prompt: ids, options: SamplingOptions(allowedVocabulary: 65)) { token in print(token); return true }
/// ```
/// The prompt passes in one go. When the block size is reached, the window starts anew with its last half: nanoGPT would
/// recompute the whole window for every further token.
public final class Generator {
    /// Samples that can be generated at once.
    public static let maximumSamples = FewRows.maximumRows

    private let model: GPT
    private var pass: GenerationPass?
    /// Positions that the cache holds.
    private var length = 0

    /// Allocates no cache: the first pass does.
    public init(model: GPT) {
        self.model = model
    }

    /// Draws up to `options.maxNewTokens` tokens after `prompt` and hands each to `onToken`, which may return false to stop.
    ///
    /// - Parameters:
    ///   - prompt: at least one id; of a prompt longer than the block size only the end is seen.
    ///   - options: how tokens are drawn, and how many.
    ///   - onToken: told each token as it is drawn; false ends it.
    ///   - sample: which of several samples with the same options this is.
    public func generate(
        prompt: [Int32],
        options: SamplingOptions,
        sample: Int = 0,
        onToken: (Int32) -> Bool
    ) {
        generate(prompt: prompt, options: options, samples: sample..<sample + 1) { _, token in onToken(token) }
    }

    /// The same for several samples at once, which costs little more than one: a token's cost is to read the weights. Each
    /// sample has the tokens that it has alone, up to `maximumSamples` of them.
    ///
    /// - Parameters:
    ///   - prompt: at least one id, the beginning of each sample.
    ///   - options: how tokens are drawn, and how many.
    ///   - samples: their numbers, at most `maximumSamples`.
    ///   - onToken: gets the sample's number and its next token; false ends that sample.
    public func generate(
        prompt: [Int32],
        options: SamplingOptions,
        samples: Range<Int>,
        onToken: (_ sample: Int, _ token: Int32) -> Bool
    ) {
        precondition(!prompt.isEmpty, "a prompt of no token")
        precondition(!samples.isEmpty && samples.count <= Self.maximumSamples, "\(samples.count) samples at once")
        guard options.maxNewTokens > 0 else { return }
        let blockSize = model.configuration.blockSize
        let samplers = samples.map { TokenSampler(options: options, sample: $0) }
        var windows = [[Int32]](repeating: Array(prompt.suffix(blockSize)), count: samples.count)
        var unfinished = Set(0..<samples.count)
        // The last token drawn passes no more.
        let capacity = min(blockSize, windows[0].count + options.maxNewTokens - 1)
        let pass = pass(sequences: samples.count, capacity: capacity)

        let first = pass.run(windows[0], sequences: 0..<1, position: 0)
        pass.cache.copyFirstSequenceToAll(length: windows[0].count)
        length = windows[0].count
        var logits = MatrixView(first.base, rows: samples.count, columns: first.columns, stride: 0)
        for index in 0..<options.maxNewTokens {
            if index > 0 { logits = passLastTokens(&windows, unfinished, pass) }
            for (sequence, sampler) in samplers.enumerated() where unfinished.contains(sequence) {
                let row = UnsafeBufferPointer(start: logits.base + sequence * logits.stride, count: logits.columns)
                let token = sampler.draw(row, index: index)
                if token != options.stopToken, onToken(samples.lowerBound + sequence, token) {
                    windows[sequence].append(token)
                } else {
                    unfinished.remove(sequence)
                }
            }
            if unfinished.isEmpty { return }
        }
    }

    /// The logits (sequences, V) that follow each unfinished window; rows of finished ones mean nothing.
    private func passLastTokens(
        _ windows: inout [[Int32]],
        _ unfinished: Set<Int>,
        _ pass: GenerationPass
    ) -> MatrixView {
        let blockSize = model.configuration.blockSize
        if length + 1 > blockSize {
            length = max(1, blockSize / 2)
            for sequence in unfinished {
                windows[sequence] = windows[sequence].suffix(length)
                _ = pass.run(windows[sequence], sequences: sequence..<sequence + 1, position: 0)
            }
            return pass.logits
        }
        length += 1
        let tokens = windows.map { $0[$0.count - 1] }
        return pass.run(tokens, sequences: 0..<tokens.count, position: length - 1)
    }

    /// `0..<count` cut into groups that are generated at once: as many as stay within 1 GiB of keys and values.
    public static func groups(of count: Int, model: GPT) -> [Range<Int>] {
        let bytes =
            4
            * KeyValueCache.count(
                configuration: model.configuration,
                sequences: 1,
                capacity: model.configuration.blockSize
            )
        return tiles(of: count, size: min(maximumSamples, max(1, (1 << 30) / bytes)))
    }

    /// Passes `tokens` after those seen so far and returns the logits (V) that follow the last, valid until the next call.
    /// The total must not exceed the block size.
    public func append(_ tokens: [Int32]) -> UnsafeBufferPointer<Float> {
        let blockSize = model.configuration.blockSize
        precondition(length + tokens.count <= blockSize, "more tokens than the block size")
        precondition(length == 0 || pass?.cache.capacity == blockSize, "append after generate needs its own generator")
        let logits = pass(sequences: 1, capacity: blockSize).run(tokens, sequences: 0..<1, position: length)
        length += tokens.count
        return UnsafeBufferPointer(start: logits.base, count: logits.columns)
    }

    /// The pass of the last call if it has this very shape, else a new one.
    private func pass(sequences: Int, capacity: Int) -> GenerationPass {
        if let pass, pass.cache.sequences == sequences, pass.cache.capacity == capacity { return pass }
        pass = nil
        let cache = KeyValueCache(configuration: model.configuration, sequences: sequences, capacity: capacity)
        let new = GenerationPass(model: model, cache: cache)
        pass = new
        return new
    }
}
