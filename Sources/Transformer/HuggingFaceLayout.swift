import Compute

extension ParameterLayout {
    /// A tensor as Hugging Face's GPT-2 has it.
    public struct HuggingFaceTensor: Equatable, Sendable {
        /// Such as `transformer.h.0.attn.c_attn.weight`.
        public let name: String
        /// As in the file: weights of linear layers are (in, out).
        public let shape: [Int]
        /// Elements of the flat buffer, or nil for a bias that this model does not have: zeros in the file.
        public let range: Range<Int>?

        /// Whether it is the matrix of a linear layer, which other tools store (out, in).
        public var isLinearWeight: Bool { shape.count == 2 && !ParameterLayout.isByToken(name) }
    }

    /// Every tensor that a Hugging Face GPT-2 has. Its biases are not optional; a model without them has zeros there.
    public var huggingFaceTensors: [HuggingFaceTensor] {
        var result: [HuggingFaceTensor] = []
        for tensor in tensors {
            result.append(HuggingFaceTensor(name: tensor.name, shape: tensor.shape, range: tensor.range))
            guard tensor.name.hasSuffix(".weight"), !Self.isByToken(tensor.name) else { continue }
            let bias = tensor.name.dropLast(".weight".count) + ".bias"
            if self.tensor(named: String(bias)) == nil {
                result.append(HuggingFaceTensor(name: String(bias), shape: [tensor.shape.last!], range: nil))
            }
        }
        return result
    }

    /// Calls `body` with every tensor of `huggingFaceTensors` and its values, valid during the call.
    ///
    /// - Parameters:
    ///   - parameters: a flat buffer of this layout.
    ///   - vocabularySize: rows of the token embedding, of one that was padded; nil for all.
    ///   - body: gets one tensor after the other.
    public func withHuggingFaceTensors<Result>(
        of parameters: borrowing FloatBuffer,
        vocabularySize: Int? = nil,
        _ body: ([(name: String, shape: [Int], values: UnsafeBufferPointer<Float>)]) throws -> Result
    ) rethrows -> Result {
        try withHuggingFaceTensors(
            of: UnsafeBufferPointer(parameters.elements),
            vocabularySize: vocabularySize,
            body
        )
    }

    /// The same for the `count` values of a flat buffer that somebody keeps alive.
    public func withHuggingFaceTensors<Result>(
        of all: UnsafeBufferPointer<Float>,
        vocabularySize: Int? = nil,
        _ body: ([(name: String, shape: [Int], values: UnsafeBufferPointer<Float>)]) throws -> Result
    ) rethrows -> Result {
        let tensors = huggingFaceTensors
        let zeros = FloatBuffer(count: tensors.filter { $0.range == nil }.map(\.shape[0]).max() ?? 0)
        return try body(
            tensors.map { tensor in
                let values = tensor.range.map { all[$0] } ?? UnsafeBufferPointer(zeros.elements)[..<tensor.shape[0]]
                var shape = tensor.shape
                if let vocabularySize, tensor.range == tokenEmbedding || tensor.range == outputHead {
                    shape[0] = vocabularySize
                }
                return (tensor.name, shape, UnsafeBufferPointer(rebasing: values.prefix(shape.reduce(1, *))))
            }
        )
    }
}

extension ParameterLayout.Tensor {
    /// As `HuggingFaceTensor.isLinearWeight`.
    public var isLinearWeight: Bool { shape.count == 2 && !ParameterLayout.isByToken(name) }
}

extension ParameterLayout {
    /// Whether a row is a token's or a position's, which every tool stores so.
    fileprivate static func isByToken(_ name: String) -> Bool {
        name.hasSuffix("wte.weight") || name.hasSuffix("wpe.weight") || name == "lm_head.weight"
    }
}

extension GPTConfiguration {
    /// The `model_type` of a model that is no GPT-2.
    public static let variantModelType = "ddp-train-variant"

    /// The text of a `config.json` that describes this model to Hugging Face's transformers.
    ///
    /// `bias` is a key of our own, which transformers passes over: it tells a reader here that the zero biases of the file
    /// do not exist in the model. A model that is no GPT-2 has a type that transformers refuses, and its `variants`.
    /// - Parameter endOfText: the token that ends a document, if the vocabulary has one.
    public func huggingFaceDescription(endOfText: Int32?) -> String {
        let endOfText = endOfText.map { String($0) } ?? "null"
        let activationName =
            switch activation {
            case .gelu: "gelu"
            case .gelu_tanh: "gelu_new"
            case .relu: "relu"
            case .relu_squared: "relu2"
            case .silu: "silu"
            }
        let ownVariants = otherModel.filter { $0.name != "tied_head" }
        let list = ownVariants.map { "\"\($0.name)\": \"\($0.value)\"" }.joined(separator: ", ")
        let (architecture, type, variantsLine) =
            ownVariants.isEmpty
            ? ("GPT2LMHeadModel", "gpt2", "")
            : ("DDPTrainVariant", Self.variantModelType, "\n  \"variants\": {\(list)},")
        return """
            {
              "architectures": ["\(architecture)"],
              "model_type": "\(type)",\(variantsLine)
              "vocab_size": \(vocabularySize),
              "n_positions": \(blockSize),
              "n_ctx": \(blockSize),
              "n_embd": \(embeddingSize),
              "n_layer": \(layerCount),
              "n_head": \(headCount),
              "n_inner": null,
              "activation_function": "\(activationName)",
              "layer_norm_epsilon": 1e-05,
              "embd_pdrop": \(dropout),
              "attn_pdrop": \(dropout),
              "resid_pdrop": \(dropout),
              "scale_attn_weights": true,
              "scale_attn_by_inverse_layer_idx": false,
              "tie_word_embeddings": \(tiedHead),
              "bos_token_id": \(endOfText),
              "eos_token_id": \(endOfText),
              "dtype": "float32",
              "bias": \(bias)
            }

            """
    }

    /// The text of the `tokenizer_config.json` that belongs beside a `tokenizer.json`: without it transformers takes the
    /// tokenizer of a GPT-2 for byte-level BPE, whatever the file says, and drops what that would not have written.
    public var huggingFaceTokenizerDescription: String {
        """
        {
          "tokenizer_class": "PreTrainedTokenizerFast",
          "model_max_length": \(blockSize),
          "clean_up_tokenization_spaces": false
        }

        """
    }
}
