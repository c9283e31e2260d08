/// The architecture of a GPT. It determines which parameters exist and what the model computes.
///
/// Comments use these names: B sequences of T tokens, C = `embeddingSize`, V = `vocabularySize`, H query heads and G key-value
/// heads of D features each.
public struct GPTConfiguration: Equatable, Sendable {
    /// The number of transformer blocks.
    public var layerCount: Int
    /// C, the width of the residual stream.
    public var embeddingSize: Int
    /// The maximum sequence length, in tokens.
    public var blockSize: Int
    /// V, the number of token ids: ids are 0 ..< V. A padded vocabulary is larger than the tokenizer's.
    public var vocabularySize: Int
    /// The shape of attention in every block.
    public var attention: Attention
    /// The shape of the feed-forward sublayer in every block.
    public var feedForward: FeedForward
    /// The normalization of activations.
    public var norm = Norm()
    /// Whether norms and linear layers add a bias.
    public var bias: Bool
    /// The probability of zeroing an element during training, in [0, 1).
    public var dropout: Float
    /// Whether the output head uses the weights of the token embedding.
    public var tiedHead = true
    /// The parts of the model that an experiment removes or changes; none by default.
    public var ablations = Ablations()

    /// Creates a GPT-2 with heads of C / H features and 4C hidden units. The defaults are nanoGPT's: no biases or dropout, exact
    /// GELU.
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
        /// H, the number of query heads.
        public var headCount: Int
        /// G, the number of key-value heads; it divides H. Fewer than H is grouped-query attention (Ainslie et al., 2023).
        public var keyValueHeadCount: Int
        /// D, the number of features per head.
        public var headSize: Int
        /// How the model represents the position of a token.
        public var positions = Positions.learned
        /// θ, the base of the wavelengths of rotary positions.
        public var rotaryTheta = 10_000.0
    }

    /// How a model represents the position of a token. Options and files use the raw values.
    public enum Positions: String, Sendable, CaseIterable {
        case learned  // a vector for each position, added to the token's
        case none  // positions matter only through the causal mask
        case rotary  // rotates queries and keys by angles proportional to the position (Su et al., "RoFormer", 2021)
        case alibi  // scores decrease with the distance, by a slope per head (Press et al., 2022)
    }

    /// The shape of the feed-forward sublayer of a block.
    public struct FeedForward: Equatable, Sendable {
        /// `plain`: f(x W) W'. `gated`: (f(x W₁) * x W₂) W' (Shazeer, "GLU variants improve transformer", 2020).
        public enum Form: String, Sendable, CaseIterable { case plain, gated }
        /// The formula of the sublayer.
        public var form = Form.plain
        /// f, the activation function.
        public var activation: Activation
        /// F, the number of hidden units.
        public var hiddenSize: Int
    }

    /// The normalization of activations and its position. Options and files use the raw values.
    public struct Norm: Equatable, Sendable {
        /// LayerNorm (Ba et al., 2016), RMSNorm (Zhang and Sennrich, 2019), or no normalization, which has no parameters.
        public enum Kind: String, Sendable, CaseIterable { case layernorm, rmsnorm, none }
        /// `pre` normalizes the input of attention and of feed-forward, and the residual stream at the end (GPT-2). `post`
        /// normalizes the residual stream after each of them, and not again at the end (Vaswani et al., 2017; GPT-1).
        public enum Place: String, Sendable, CaseIterable { case pre, post }
        /// The formula of the norm.
        public var kind = Kind.layernorm
        /// The position in a sublayer.
        public var place = Place.pre
        /// ε, which is added to the variance.
        public var epsilon: Float = 1e-5
    }
}
