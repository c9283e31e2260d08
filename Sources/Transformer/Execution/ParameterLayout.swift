/// Where each parameter tensor lies in the one flat buffer that holds them all (gradients and moments have the same layout).
///
/// Order: token embedding, position embedding, the blocks from first to last, the final norm, and an output head that is not tied.
/// Backward therefore finishes the flat gradient from its end to its beginning (the tied token embedding last), so a bucket of an
/// all-reduce is a slice.
public struct ParameterLayout: Equatable, Sendable {
    /// A matrix, embedding or vector, and where it lies.
    public struct Tensor: Equatable, Sendable {
        /// As its layer declares it.
        public let spec: ParameterSpec
        /// Elements of the flat buffer.
        public let range: Range<Int>

        /// Such as `transformer.h.0.attn.c_attn.weight`.
        public var name: String { spec.name }
        /// Row-major; (in, out) for the weight of a linear layer.
        public var shape: [Int] { spec.shape }
        /// What it is for.
        public var role: ParameterRole { spec.role }
        /// Matrices and embeddings decay, vectors do not (nanoGPT: tensors of two or more dimensions).
        public var decays: Bool { spec.role != .vector }
    }

    /// In the order of the flat buffer, without gaps.
    public let tensors: [Tensor]
    /// Elements of each block, from first to last.
    public let blocks: [Range<Int>]

    /// Follows from the configuration alone; nothing is allocated.
    public init(_ configuration: GPTConfiguration) {
        self.init(GPTLayers(configuration))
    }

    init(_ layers: GPTLayers) {
        tensors = layers.declarations.tensors
        let bounds = layers.blocks.map(\.firstParameter) + [layers.endOfBlocks]
        blocks = zip(bounds, bounds.dropFirst()).map { $0..<$1 }
    }

    /// Number of floats in the flat buffer.
    public var count: Int { tensors.last?.range.upperBound ?? 0 }

    /// The tensor of this name, if the model has it.
    public func tensor(named name: String) -> Tensor? {
        tensors.first { $0.name == name }
    }

    /// The elements of a tensor; empty if the model does not have it.
    public func range(of name: String) -> Range<Int> { tensor(named: name)?.range ?? 0..<0 }

    /// The elements of wte, (V, C).
    public var tokenEmbedding: Range<Int> { range(of: "transformer.wte.weight") }

    /// The elements of wpe, (block size, C); empty where positions are not learned.
    public var positionEmbedding: Range<Int> { range(of: "transformer.wpe.weight") }

    /// The elements of the weight of the output head, (V, C): those of wte, unless the head is not tied.
    public var outputHead: Range<Int> {
        tensors.first { $0.role == .head }?.range ?? tokenEmbedding
    }
}
