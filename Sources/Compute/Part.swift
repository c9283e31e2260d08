/// The part of a step that a worker spends time on. The raw values are those of `dt_part`.
public enum Part: Int32, CaseIterable, Sendable {
    /// y = x W
    case linearForward
    /// dx = dy Wᵀ
    case linearInputGradient
    /// dW += xᵀ dy
    case linearWeightGradient
    /// Packing weights for the matrix products of a phase.
    case packing
    /// The attention scores, the weighted values and their gradients.
    case attentionProducts
    /// The logits and the gradients of both their factors.
    case headProducts
    /// Softmax of the scores with its dropout, and its backward pass.
    case attention
    /// GELU or another activation.
    case activation
    case layerNorm
    /// Softmax of the logits, cross-entropy and its gradient.
    case loss
    /// Separate dropout passes. Dropout of attention weights counts as `attention`, and that of residual connections as
    /// `residual`.
    case dropout
    /// Residual connections, with the bias and the dropout of the added branch.
    case residual
    /// Biases that are added in a separate pass, and gradients of biases.
    case bias
    /// Reading rows of the embeddings, and adding their gradients.
    case embedding
    /// The optimizer's update of the parameters.
    case optimizer
    /// The norm of the gradient, for clipping.
    case clipping
    case gradientZeroing
    /// Waiting for data from other ranks.
    case waitingForRanks
    /// Waiting for other workers, or for work.
    case idle
    /// Work that belongs to no other part.
    case other

    /// Whether the part consists of matrix products.
    public var isMatrixProduct: Bool {
        switch self {
        case .linearForward, .linearInputGradient, .linearWeightGradient, .attentionProducts, .headProducts: true
        default: false
        }
    }

    /// The name in snake case, for tables and JSON.
    public var name: String {
        "\(self)".reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
    }
}
