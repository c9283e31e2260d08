/// What a worker's time is spent on. The values are those of `dt_part`.
public enum Part: Int32, CaseIterable, Sendable {
    /// y = x W
    case linearForward
    /// dx = dy Wᵀ
    case linearInputGradient
    /// dW += xᵀ dy
    case linearWeightGradient
    /// Rearranging weights for the products of a phase.
    case packing
    /// Scores, weighted values and their gradients.
    case attentionProducts
    /// Logits and the gradients of both their factors.
    case headProducts
    /// Softmax of the scores with its dropout, and its backward pass.
    case attention
    /// GELU or what stands in its place.
    case activation
    case layerNorm
    /// Softmax of the logits, cross-entropy and its gradient.
    case loss
    /// Masks drawn on their own; those of attention weights and residual connections are drawn by these.
    case dropout
    /// Residual connections with the bias and dropout of what they add.
    case residual
    /// Biases that are added on their own, and their gradients.
    case bias
    /// Rows of the embeddings, and their gradients.
    case embedding
    /// The update of the parameters.
    case optimizer
    /// The norm of the gradient.
    case clipping
    case gradientZeroing
    /// Waiting for what other ranks have to give.
    case waitingForRanks
    /// Waiting for other workers, or for work.
    case idle
    /// Work that has no part of its own.
    case other

    /// Whether it is matrix products.
    public var isMatrixProduct: Bool {
        switch self {
        case .linearForward, .linearInputGradient, .linearWeightGradient, .attentionProducts, .headProducts: true
        default: false
        }
    }

    /// In snake case, for tables and JSON.
    public var name: String {
        "\(self)".reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
    }
}
