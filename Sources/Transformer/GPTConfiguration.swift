/// The nonlinearity between the two layers of an MLP.
public enum Activation: String, Sendable, Codable, CaseIterable {
    /// `x * Φ(x)`, the exact form by the error function: nanoGPT's.
    case gelu
    /// The tanh approximation of GELU: OpenAI's GPT-2 (`gelu_new` in Hugging Face's names).
    case gelu_tanh
    case relu
}

/// The shape of a GPT: everything that decides which parameters exist and what is computed with them.
///
/// Names in comments: B sequences, T tokens each, C = `embeddingSize`, H heads, V = `vocabularySize`.
public struct GPTConfiguration: Equatable, Sendable, Codable {
    public var layerCount: Int
    public var headCount: Int
    public var embeddingSize: Int
    /// The longest sequence the model can see, in tokens.
    public var blockSize: Int
    public var vocabularySize: Int
    /// Whether LayerNorms and linear layers add a bias.
    public var bias: Bool
    /// Probability of zeroing an element while training, in [0, 1).
    public var dropout: Float
    public var activation: Activation

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
        self.layerCount = layerCount
        self.headCount = headCount
        self.embeddingSize = embeddingSize
        self.blockSize = blockSize
        self.vocabularySize = vocabularySize
        self.bias = bias
        self.dropout = dropout
        self.activation = activation
    }

    public var headSize: Int { embeddingSize / headCount }

    /// nanoGPT's count of floating-point operations for one token, forward and backward: `6 N + 12 L H Q T`,
    /// N without the position embeddings.
    public var operationsPerToken: Double {
        let layout = ParameterLayout(self)
        let counted = layout.count - blockSize * embeddingSize
        return 6 * Double(counted) + 12 * Double(layerCount * embeddingSize * blockSize)
    }
}
