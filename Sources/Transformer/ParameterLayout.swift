/// Where each parameter tensor lies in the one flat buffer that holds them all (gradients and moments have the same layout).
///
/// Order: token embedding, position embedding, the blocks from first to last, the final LayerNorm, and an output head that is not
/// tied. Backward therefore finishes the flat gradient from its end to its beginning (the tied token embedding last), so a
/// bucket for an all-reduce is a slice. Names and shapes are Hugging Face's for GPT-2: linear weights are stored `(in, out)`.
public struct ParameterLayout: Equatable, Sendable {
    /// A matrix, embedding or vector, and where it lies.
    public struct Tensor: Equatable, Sendable {
        /// Hugging Face's name, such as `transformer.h.0.attn.c_attn.weight`.
        public let name: String
        /// Row-major; (in, out) for the weight of a linear layer.
        public let shape: [Int]
        /// Elements of the flat buffer.
        public let range: Range<Int>
        /// Matrices and embeddings decay, vectors do not (nanoGPT: tensors of two or more dimensions).
        public var decays: Bool { shape.count >= 2 }
    }

    /// A linear layer's weight `(in, out)` and its bias `(out)`; a LayerNorm's `(C)` and `(C)`.
    public struct Affine: Equatable, Sendable {
        /// Elements of the flat buffer; empty for a normalization that the model does not have.
        public let weight: Range<Int>
        /// Elements of the flat buffer; nil in a model without biases.
        public let bias: Range<Int>?
    }

    /// The tensors of one transformer block.
    public struct Block: Equatable, Sendable {
        /// In the order of the buffer; the widths are (C, 3C) and (C, C) in attention, (C, 4C) and (4C, C) in the MLP.
        public let ln1, attention, attentionProjection, ln2, fullyConnected, mlpProjection: Affine
    }

    /// In the order of the flat buffer, without gaps.
    public let tensors: [Tensor]
    /// Number of floats in the flat buffer.
    public let count: Int
    /// wte, (V, C); also the output head.
    public let tokenEmbedding: Range<Int>
    /// wpe, (block size, C); empty where positions are not learned.
    public let positionEmbedding: Range<Int>
    /// From first to last, one for each layer.
    public let blocks: [Block]
    /// Empty where nothing is normalized at the end.
    public let finalLayerNorm: Affine
    /// The weights of the output head, (V, C): wte itself, unless the head is not tied.
    public let outputHead: Range<Int>

    /// Follows from the configuration alone; nothing is allocated.
    public init(_ configuration: GPTConfiguration) {
        var builder = Builder()
        let width = configuration.embeddingSize
        tokenEmbedding = builder.add("transformer.wte.weight", [configuration.vocabularySize, width])
        let variants = configuration.variants
        positionEmbedding =
            variants.positions == .learned
            ? builder.add("transformer.wpe.weight", [configuration.blockSize, width]) : builder.nothing
        var blocks: [Block] = []
        for layer in 0..<configuration.layerCount {
            func affine(_ name: String, _ shape: [Int]) -> Affine {
                let prefix = "transformer.h.\(layer).\(name)"
                let weight = builder.add("\(prefix).weight", shape)
                let bias = configuration.bias ? builder.add("\(prefix).bias", [shape[shape.count - 1]]) : nil
                return Affine(weight: weight, bias: bias)
            }
            func norm(_ name: String) -> Affine {
                variants.norm == .none ? Affine(weight: builder.nothing, bias: nil) : affine(name, [width])
            }
            blocks.append(
                Block(
                    ln1: norm("ln_1"),
                    attention: affine("attn.c_attn", [width, 3 * width]),
                    attentionProjection: affine("attn.c_proj", [width, width]),
                    ln2: norm("ln_2"),
                    fullyConnected: affine("mlp.c_fc", [width, 4 * width]),
                    mlpProjection: affine("mlp.c_proj", [4 * width, width])
                )
            )
        }
        self.blocks = blocks
        if variants.norm != .none && variants.normPosition == .pre {
            finalLayerNorm = Affine(
                weight: builder.add("transformer.ln_f.weight", [width]),
                bias: configuration.bias ? builder.add("transformer.ln_f.bias", [width]) : nil
            )
        } else {
            finalLayerNorm = Affine(weight: builder.nothing, bias: nil)
        }
        outputHead =
            variants.tiedHead ? tokenEmbedding : builder.add("lm_head.weight", [configuration.vocabularySize, width])
        tensors = builder.tensors
        count = builder.count
    }

    /// The tensor of this name, if the configuration has it.
    public func tensor(named name: String) -> Tensor? {
        tensors.first { $0.name == name }
    }

    private struct Builder {
        var tensors: [Tensor] = []
        var count = 0
        /// The place of a tensor that this model does not have.
        var nothing: Range<Int> { count..<count }

        mutating func add(_ name: String, _ shape: [Int]) -> Range<Int> {
            let range = count..<count + shape.reduce(1, *)
            tensors.append(Tensor(name: name, shape: shape, range: range))
            count = range.upperBound
            return range
        }
    }
}
