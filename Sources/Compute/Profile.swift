/// What a worker's time is spent on.
public enum Part: String, CaseIterable, Sendable {
    /// y = x W
    case linearForward = "linear_forward"
    /// dx = dy Wᵀ
    case linearInputGradient = "linear_input_gradient"
    /// dW += xᵀ dy
    case linearWeightGradient = "linear_weight_gradient"
    /// Rearranging weights for the products of a phase.
    case packing
    /// Scores, weighted values and their gradients.
    case attentionProducts = "attention_products"
    /// Logits and the gradients of both their factors.
    case headProducts = "head_products"
    case other
}

/// Where the time of a step goes.
public enum Profile {
    @inline(__always)
    public static func measure<Result>(_ part: Part, _ body: () -> Result) -> Result {
        body()
    }
}
