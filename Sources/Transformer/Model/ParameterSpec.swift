/// The purpose of a parameter tensor. Optimizers, weight decay and file formats depend on it.
public enum ParameterRole: Sendable, CaseIterable {
    /// One row per token or position.
    case embedding
    /// The weight (in, out) of a linear layer.
    case matrix
    /// A bias, or the weight of a norm. Vectors do not decay.
    case vector
    /// The weight (V, C) of an output head that is not tied to the token embedding.
    case head
}

/// The initial values of a parameter tensor.
public enum Initialization: Equatable, Sendable {
    /// Normally distributed numbers with mean 0.
    case normal(deviation: Double)
    /// The same number for every element.
    case constant(Float)
}

/// A layer's declaration of a parameter tensor, from which layout, initialization, weight decay and names in files follow.
public struct ParameterSpec: Equatable, Sendable {
    /// The name in Hugging Face's checkpoints, such as `transformer.h.0.attn.c_attn.weight`.
    public let name: String
    /// The row-major shape; (in, out) for the weight of a linear layer.
    public let shape: [Int]
    /// The purpose of the tensor.
    public let role: ParameterRole
    /// The values before the first update.
    public let initialization: Initialization
}
