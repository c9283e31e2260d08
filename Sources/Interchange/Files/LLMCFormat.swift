import Transformer

/// The model file of llm.c: a header of 256 int32, then the parameters, each kind for all layers in turn.
///
/// Header: magic 20240326, 3 for float32 or 5 for bfloat16, block size, V, layers, heads, C, and V rounded up to a
/// multiple of 128, which is how many rows the token embedding has. Weights of linear layers are (out, in). The model
/// has biases and the tanh GELU, always. Source: `gpt2_build_from_checkpoint` in llm.c's train_gpt2.c and
/// `write_model` in its train_gpt2.py.
enum LLMCFormat {
    static let headerCount = 256
    static let headerBytes = 4 * headerCount
    static let magic: Int32 = 20_240_326
    static let float32Version: Int32 = 3
    static let bfloat16Version: Int32 = 5

    static func paddedVocabularySize(_ size: Int) -> Int { (size + 127) / 128 * 128 }

    /// A kind of tensor: Hugging Face's name, within a layer or of the model, and the shape in the file.
    struct Kind {
        let name: String
        let shape: [Int]
        let isInEachLayer: Bool
    }

    /// All kinds in the order of the file, which is that of the layout of a model with one layer and with biases.
    static func kinds(_ configuration: GPTConfiguration) -> [Kind] {
        var configuration = configuration
        (configuration.layerCount, configuration.bias) = (1, true)
        let layout = ParameterLayout(configuration)
        return layout.tensors.map { tensor in
            let isInEachLayer = layout.blocks[0].contains(tensor.range.lowerBound)
            var shape = tensor.role == .matrix ? tensor.shape.reversed() : tensor.shape
            if tensor.range == layout.tokenEmbedding { shape[0] = paddedVocabularySize(shape[0]) }
            let prefix = isInEachLayer ? "transformer.h.0." : "transformer."
            return Kind(name: String(tensor.name.dropFirst(prefix.count)), shape: shape, isInEachLayer: isInEachLayer)
        }
    }

    /// Hugging Face's name of a kind, in a layer where it is in each.
    static func name(_ kind: Kind, layer: Int) -> String {
        "transformer." + (kind.isInEachLayer ? "h.\(layer)." : "") + kind.name
    }
}
