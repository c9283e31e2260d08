/// What a parameter tensor is for: optimizers choose a rule by it, and file formats choose an order.
public enum ParameterRole: Sendable, CaseIterable {
    /// One row per token or per position: `wte` and `wpe`.
    case embedding
    /// The weight of a linear layer, `(in, out)`.
    case matrix
    /// A bias, or the weight of a normalization.
    case vector
    /// An output head of its own, one row per token; a tied head is the token embedding.
    case head
}

extension ParameterLayout.Tensor {
    /// What the tensor is for.
    public var role: ParameterRole {
        guard shape.count >= 2 else { return .vector }
        if name == "lm_head.weight" { return .head }
        return name.hasSuffix("wte.weight") || name.hasSuffix("wpe.weight") ? .embedding : .matrix
    }
}
