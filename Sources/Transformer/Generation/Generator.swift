import Compute

/// Generates text with a model, one token at a time, using cached keys and values.
///
/// ```swift
/// let generator = Generator(model: gpt)
/// generator.generate(prompt: ids, options: SamplingOptions(allowedVocabulary: 65)) { token in
///     print(token)
///     return true
/// }
/// ```
/// The whole prompt is processed in one pass. When the text reaches the block size, the window restarts with its last
/// half. nanoGPT recomputes the whole window for every further token instead.
public final class Generator {
    /// The maximum number of samples that can be generated at once.
    public static let maximumSamples = FewRows.maximumRows

    private let model: GPT
    private var pass: GenerationPass?
    /// The number of positions in the cache.
    private var length = 0

    /// Creates a generator. The first pass allocates the cache.
    public init(model: GPT) {
        self.model = model
    }

    /// Draws up to `options.maxNewTokens` tokens after `prompt` and passes each to `onToken`.
    ///
    /// - Parameters:
    ///   - prompt: at least one token id. If it is longer than the block size, only its end is used.
    ///   - options: how tokens are drawn, and how many.
    ///   - sample: the index of the sample. Different samples with the same options differ.
    ///   - onToken: called with each token; returns false to stop.
    public func generate(
        prompt: [Int32],
        options: SamplingOptions,
        sample: Int = 0,
        onToken: (Int32) -> Bool
    ) {
        generate(prompt: prompt, options: options, samples: sample..<sample + 1) { _, token in onToken(token) }
    }

    /// Draws several samples at once. This costs little more than one sample, because the cost per token is reading the
    /// weights. Each sample has the same tokens as when it is generated alone.
    ///
    /// - Parameters:
    ///   - prompt: at least one token id, the start of each sample.
    ///   - options: how tokens are drawn, and how many.
    ///   - samples: the indices of the samples; at most `maximumSamples`.
    ///   - onToken: called with the index of the sample and its next token; returns false to stop this sample.
    public func generate(
        prompt: [Int32],
        options: SamplingOptions,
        samples: Range<Int>,
        onToken: (_ sample: Int, _ token: Int32) -> Bool
    ) {
        precondition(!prompt.isEmpty, "the prompt must have at least one token")
        precondition(
            !samples.isEmpty && samples.count <= Self.maximumSamples,
            "cannot generate \(samples.count) samples at once: 1 to \(Self.maximumSamples) are possible"
        )
        guard options.maxNewTokens > 0 else { return }
        let blockSize = model.configuration.blockSize
        let samplers = samples.map { TokenSampler(options: options, sample: $0) }
        var windows = [[Int32]](repeating: Array(prompt.suffix(blockSize)), count: samples.count)
        var unfinished = Set(0..<samples.count)
        // The last token drawn is not processed, so it needs no position.
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

    /// Returns the logits (sequences, V) after each unfinished window. Rows of finished windows are undefined.
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

    /// Splits `0..<count` into groups to generate at once, so that the keys and values of a group take at most 1 GiB.
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

    /// Processes `tokens` after those of earlier calls and returns the logits (V) after the last one; valid until the
    /// next call. The total number of tokens must not exceed the block size.
    public func append(_ tokens: [Int32]) -> UnsafeBufferPointer<Float> {
        let blockSize = model.configuration.blockSize
        precondition(length + tokens.count <= blockSize, "more tokens than the block size")
        precondition(length == 0 || pass?.cache.capacity == blockSize, "append after generate needs its own generator")
        let logits = pass(sequences: 1, capacity: blockSize).run(tokens, sequences: 0..<1, position: length)
        length += tokens.count
        return UnsafeBufferPointer(start: logits.base, count: logits.columns)
    }

    /// Returns the pass of the last call if it has exactly this shape, else a new one.
    private func pass(sequences: Int, capacity: Int) -> GenerationPass {
        if let pass, pass.cache.sequences == sequences, pass.cache.capacity == capacity { return pass }
        pass = nil
        let cache = KeyValueCache(configuration: model.configuration, sequences: sequences, capacity: capacity)
        let new = GenerationPass(model: model, cache: cache)
        pass = new
        return new
    }
}
