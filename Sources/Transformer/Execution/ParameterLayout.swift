/// The position of each parameter tensor in the flat buffer that holds all parameters. Gradients and optimizer moments
/// have the same layout.
///
/// The order is: token embedding, position embedding, the blocks from first to last, the final norm, and an untied
/// output head. The backward pass therefore finishes the flat gradient from its end to its start (a tied token
/// embedding last), so a bucket of an all-reduce is a contiguous slice.
public struct ParameterLayout: Equatable, Sendable {
    /// A matrix, embedding or vector, and its position.
    public struct Tensor: Equatable, Sendable {
        /// The layer's declaration of the tensor.
        public let spec: ParameterSpec
        /// The tensor's elements in the flat buffer.
        public let range: Range<Int>

        /// The name, such as `transformer.h.0.attn.c_attn.weight`.
        public var name: String { spec.name }
        /// The row-major shape; (in, out) for the weight of a linear layer.
        public var shape: [Int] { spec.shape }
        /// The purpose of the tensor.
        public var role: ParameterRole { spec.role }
        /// Whether weight decay applies: to matrices and embeddings, but not to vectors. nanoGPT's rule is the same:
        /// tensors of two or more dimensions decay.
        public var decays: Bool { spec.role != .vector }
    }

    /// The tensors, in the order of the flat buffer, without gaps.
    public let tensors: [Tensor]
    /// The elements of each block, from first to last.
    public let blocks: [Range<Int>]

    /// Creates the layout of a configuration. Nothing is allocated.
    public init(_ configuration: GPTConfiguration) {
        self.init(GPTLayers(configuration))
    }

    init(_ layers: GPTLayers) {
        tensors = layers.declarations.tensors
        let bounds = layers.blocks.map(\.firstParameter) + [layers.endOfBlocks]
        blocks = zip(bounds, bounds.dropFirst()).map { $0..<$1 }
    }

    /// The number of floats in the flat buffer.
    public var count: Int { tensors.last?.range.upperBound ?? 0 }

    /// Returns the tensor of this name; nil if the model does not have it.
    public func tensor(named name: String) -> Tensor? {
        tensors.first { $0.name == name }
    }

    /// Returns the elements of a tensor; empty if the model does not have it.
    public func range(of name: String) -> Range<Int> { tensor(named: name)?.range ?? 0..<0 }

    /// The elements of wte, (V, C).
    public var tokenEmbedding: Range<Int> { range(of: "transformer.wte.weight") }

    /// The elements of wpe, (block size, C); empty unless positions are learned.
    public var positionEmbedding: Range<Int> { range(of: "transformer.wpe.weight") }

    /// The elements of the output head's weight, (V, C). For a tied head these are the elements of wte.
    public var outputHead: Range<Int> {
        tensors.first { $0.role == .head }?.range ?? tokenEmbedding
    }
}
