/// The nonlinearity between the two layers of an MLP.
public enum Activation: String, Sendable, Codable, CaseIterable {
    /// `x * Φ(x)`, the exact form by the error function: nanoGPT's.
    case gelu
    /// The tanh approximation of GELU: OpenAI's GPT-2 (`gelu_new` in Hugging Face's names).
    case gelu_tanh
    /// `max(x, 0)`.
    case relu
    /// `max(x, 0)²` (So et al., "Primer", 2021).
    case relu_squared
    /// `x σ(x)` (Hendrycks and Gimpel, 2016).
    case silu
}

/// The shape of a GPT: everything that decides which parameters exist and what is computed with them.
///
/// Names in comments: B sequences, T tokens each, C = `embeddingSize`, H heads, V = `vocabularySize`.
public struct GPTConfiguration: Equatable, Sendable {
    /// Transformer blocks, one after the other.
    public var layerCount: Int
    /// H, the heads of each layer's attention; divides `embeddingSize`.
    public var headCount: Int
    /// C, the width of the residual stream.
    public var embeddingSize: Int
    /// The longest sequence the model can see, in tokens.
    public var blockSize: Int
    /// V: token ids are below it. A padded one is larger than the tokenizer's.
    public var vocabularySize: Int
    /// Whether LayerNorms and linear layers add a bias.
    public var bias: Bool
    /// Probability of zeroing an element while training, in [0, 1).
    public var dropout: Float
    /// Of the MLP in every block.
    public var activation: Activation
    /// Where the model differs from GPT-2, for experiments.
    public var variants: GPTVariants

    /// The defaults are those of nanoGPT's train.py: no biases, no dropout, exact GELU.
    public init(
        layerCount: Int,
        headCount: Int,
        embeddingSize: Int,
        blockSize: Int,
        vocabularySize: Int,
        bias: Bool = false,
        dropout: Float = 0,
        activation: Activation = .gelu,
        variants: GPTVariants = GPTVariants()
    ) {
        self.layerCount = layerCount
        self.headCount = headCount
        self.embeddingSize = embeddingSize
        self.blockSize = blockSize
        self.vocabularySize = vocabularySize
        self.bias = bias
        self.dropout = dropout
        self.activation = activation
        self.variants = variants
    }

    /// Width of one head: C / H.
    public var headSize: Int { embeddingSize / headCount }

    /// Why the variants cannot be, if they cannot; see `GPTVariants.conflict`.
    public var variantConflict: (names: [String], reason: String)? {
        variants.conflict(layerCount: layerCount, headCount: headCount, headSize: headSize)
    }

    /// nanoGPT's count of floating-point operations for one token, forward and backward: `6 N + 12 L H Q T`,
    /// N without the position embeddings.
    public var operationsPerToken: Double {
        let layout = ParameterLayout(self)
        let counted = layout.count - layout.positionEmbedding.count
        return 6 * Double(counted) + 12 * Double(layerCount * embeddingSize * blockSize)
    }
}
