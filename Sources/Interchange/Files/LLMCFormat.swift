import Transformer

/// The format of llm.c's model files: a header of 256 int32, then the parameters. Each kind of tensor is stored for all
/// layers before the next kind.
///
/// The header has the magic number 20240326, the version (3 for float32, 5 for bfloat16), the block size, the
/// vocabulary size V, the number of layers, the number of heads, the width C, and V rounded up to a multiple of 128,
/// which is the number of rows of the token embedding. Weights of linear layers are (out, in). The model always has
/// biases and the tanh GELU. Source: `gpt2_build_from_checkpoint` in llm.c's train_gpt2.c and `write_model` in its
/// train_gpt2.py.
enum LLMCFormat {
    static let headerCount = 256
    static let headerBytes = 4 * headerCount
    static let magic: Int32 = 20_240_326
    static let float32Version: Int32 = 3
    static let bfloat16Version: Int32 = 5

    static func paddedVocabularySize(_ size: Int) -> Int { (size + 127) / 128 * 128 }

    /// A kind of tensor: its Hugging Face name without the prefix of the layer or the model, and its shape in the file.
    struct Kind {
        let name: String
        let shape: [Int]
        let isInEachLayer: Bool
    }

    /// Returns all kinds in the order of the file, which is the order in the layout of a model with one layer and
    /// biases.
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

    /// Returns the Hugging Face name of a kind. `layer` is ignored for kinds that occur once per model.
    static func name(_ kind: Kind, layer: Int) -> String {
        "transformer." + (kind.isInEachLayer ? "h.\(layer)." : "") + kind.name
    }
}
