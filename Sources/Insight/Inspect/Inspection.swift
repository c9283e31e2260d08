import Compute
import Platform
import Tokenizers
import Training
import Transformer

/// What is seen in one model with one text: everything comes from the model's own passes.
public struct Inspection: Sendable {
    struct Head: Sendable {
        let pattern: AttentionMap
        let entropy: AttentionEntropy?
        let scores: HeadScores

        var kind: (kind: HeadScores.Kind, score: Double)? { scores.kind(entropy: entropy) }
    }

    /// Its checkpoint's name, or the model's.
    public let name: String
    /// What its checkpoint says; nil for another tool's model.
    let state: CheckpointState?
    /// Of each layer, each head.
    let heads: [[Head]]
    let losses: TokenLosses
    let lens: LogitLens
    let flow: GradientFlow
    let activations: ActivationStatistics
    /// What it writes; nil without a tokenizer.
    let sample: String?

    static let predictionCount = 5
    static let sampleLength = 160

    /// - Parameters:
    ///   - model: with memory for gradients.
    ///   - checkpoint: the model's, whose optimizer makes the next update.
    ///   - seed: of the sample and of the induction probe.
    /// - Throws: `UserError(.data)` when the model's loss is not a number, or the optimizer's state is damaged.
    public init(
        _ model: GPT,
        name: String,
        checkpoint: Checkpoint?,
        text: InspectedText,
        tokenizer: (any Tokenizer)?,
        seed: UInt64
    ) throws {
        self.name = name
        state = checkpoint?.state
        flow = try GradientFlow(model, tokens: text.tokens, targets: text.targets, checkpoint: checkpoint)
        guard flow.loss.isFinite, flow.norm.isFinite else {
            throw UserError(.data, "the loss of \(name) on \(text.source) is \(flow.loss): its weights are of no use")
        }
        let vocabularySize = min(tokenizer?.vocabularySize ?? .max, model.configuration.vocabularySize)
        let probe = InductionProbe(
            blockSize: model.configuration.blockSize,
            vocabulary: 0..<Int32(vocabularySize),
            seed: seed
        )
        let induction = probe?.scores(of: model)
        heads = model.attentionPatterns(tokens: text.tokens).enumerated().map { layer, patterns in
            patterns.enumerated().map { index, pattern in
                Head(
                    pattern: pattern,
                    entropy: AttentionEntropy(pattern),
                    scores: HeadScores(pattern, tokens: text.tokens, induction: induction?[layer][index])
                )
            }
        }
        losses = TokenLosses(
            logits: model.logits(tokens: text.tokens),
            targets: text.targets,
            count: Self.predictionCount
        )
        let states = model.activations(tokens: text.tokens)
        lens = LogitLens(states, targets: text.targets, model: model)
        activations = ActivationStatistics(states, configuration: model.configuration)
        sample = tokenizer.map { Self.sample(of: model, tokenizer: $0, seed: seed) }
    }

    /// As `sample` writes by default.
    private static func sample(of model: GPT, tokenizer: any Tokenizer, seed: UInt64) -> String {
        let options = SamplingOptions(
            seed: seed,
            maxNewTokens: sampleLength,
            allowedVocabulary: min(tokenizer.vocabularySize, model.configuration.vocabularySize),
            stopToken: tokenizer.endOfText
        )
        var ids: [Int32] = []
        Generator(model: model).generate(prompt: tokenizer.defaultPrompt.ids, options: options) {
            ids.append($0)
            return true
        }
        return String(decoding: tokenizer.decode(ids), as: UTF8.self)
    }
}
