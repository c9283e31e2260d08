/// What a parameter tensor is for. Optimizers, weight decay and file formats go by it.
public enum ParameterRole: Sendable, CaseIterable {
    /// A row for each token or position.
    case embedding
    /// The weight (in, out) of a linear layer.
    case matrix
    /// A bias, or the weight of a norm. Vectors do not decay.
    case vector
    /// The weight (V, C) of an output head that is not tied to the token embedding.
    case head
}

/// What a parameter tensor holds before the first update.
public enum Initialization: Equatable, Sendable {
    /// Normally distributed numbers with mean 0.
    case normal(deviation: Double)
    /// One number everywhere.
    case constant(Float)
}

/// A parameter tensor as a layer declares it. The layout of the flat buffers, initialization, weight decay, counts and the names
/// in files follow from these.
public struct ParameterSpec: Equatable, Sendable {
    /// Hugging Face's name, such as `transformer.h.0.attn.c_attn.weight`.
    public let name: String
    /// Row-major; (in, out) for the weight of a linear layer.
    public let shape: [Int]
    /// What it is for.
    public let role: ParameterRole
    /// What it holds before the first update.
    public let initialization: Initialization
}
