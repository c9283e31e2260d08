/// What a GPT is: everything that decides which parameters exist and what is computed with them.
///
/// Names in comments: B sequences of T tokens, C = `embeddingSize`, V = `vocabularySize`; H query heads and G key-value heads,
/// of D features each.
public struct GPTConfiguration: Equatable, Sendable {
    /// Transformer blocks, one after the other.
    public var layerCount: Int
    /// C, the width of the residual stream.
    public var embeddingSize: Int
    /// The longest sequence that the model can see, in tokens.
    public var blockSize: Int
    /// V: token ids are below it. A padded vocabulary is larger than the tokenizer's.
    public var vocabularySize: Int
    /// The attention of every block.
    public var attention: Attention
    /// The feed-forward half of every block.
    public var feedForward: FeedForward
    /// What normalizes activations.
    public var norm = Norm()
    /// Whether norms and linear layers add a bias.
    public var bias: Bool
    /// Probability of zeroing an element while training, in [0, 1).
    public var dropout: Float
    /// Whether the weights of the output head are those of the token embedding.
    public var tiedHead = true
    /// What an experiment takes away from the model; nothing by default.
    public var ablations = Ablations()

    /// A GPT-2 with heads of C / H features and 4C hidden units. The defaults are those of nanoGPT's train.py: no biases, no
    /// dropout, exact GELU.
    public init(
        layerCount: Int,
        headCount: Int,
        embeddingSize: Int,
        blockSize: Int,
        vocabularySize: Int,
        bias: Bool = false,
        dropout: Float = 0,
        activation: Activation = .gelu
    ) {
        (self.layerCount, self.embeddingSize, self.blockSize) = (layerCount, embeddingSize, blockSize)
        (self.vocabularySize, self.bias, self.dropout) = (vocabularySize, bias, dropout)
        let headSize = embeddingSize / max(1, headCount)
        attention = Attention(headCount: headCount, keyValueHeadCount: headCount, headSize: headSize)
        feedForward = FeedForward(activation: activation, hiddenSize: 4 * embeddingSize)
    }

    /// The shape of attention.
    public struct Attention: Equatable, Sendable {
        /// H, query heads.
        public var headCount: Int
        /// G, heads of keys and values; divides H. Fewer than H is grouped-query attention (Ainslie et al., 2023).
        public var keyValueHeadCount: Int
        /// D, features of a head.
        public var headSize: Int
        /// How the model knows where a token stands.
        public var positions = Positions.learned
        /// Rotary positions: the base θ of the wavelengths.
        public var rotaryTheta = 10_000.0
    }

    /// How a model knows where a token stands. The raw values are those of options and files.
    public enum Positions: String, Sendable, CaseIterable {
        case learned  // a vector for each position, added to the token's
        case none  // only by what the causal mask lets a token see
        case rotary  // queries and keys are turned by angles that grow with the position (Su et al., "RoFormer", 2021)
        case alibi  // scores fall with the distance, by a slope for each head (Press et al., 2022)
    }

    /// The shape of the feed-forward half of a block.
    public struct FeedForward: Equatable, Sendable {
        /// `plain`: f(x W) W'. `gated`: (f(x W₁) * x W₂) W' (Shazeer, "GLU variants improve transformer", 2020).
        public enum Form: String, Sendable, CaseIterable { case plain, gated }
        /// The formula.
        public var form = Form.plain
        /// f.
        public var activation: Activation
        /// F, units between the two layers.
        public var hiddenSize: Int
    }

    /// What normalizes activations, and where. The raw values are those of options and files.
    public struct Norm: Equatable, Sendable {
        /// LayerNorm (Ba et al., 2016), RMSNorm (Zhang and Sennrich, 2019), or nothing, which has no parameters.
        public enum Kind: String, Sendable, CaseIterable { case layernorm, rmsnorm, none }
        /// `pre`: what goes into attention and feed-forward, and the stream once more at the end (GPT-2). `post`: the stream after
        /// each of them, and not again at the end (Vaswani et al., 2017; GPT-1).
        public enum Place: String, Sendable, CaseIterable { case pre, post }
        /// The formula.
        public var kind = Kind.layernorm
        /// Where it stands.
        public var place = Place.pre
        /// ε, added to the variance.
        public var epsilon: Float = 1e-5
    }
}
