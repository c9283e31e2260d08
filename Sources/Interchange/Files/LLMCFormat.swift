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

    /// All kinds in the order of the file.
    static func kinds(_ configuration: GPTConfiguration) -> [Kind] {
        let width = configuration.embeddingSize
        func layers(_ name: String, _ shape: [Int]) -> [Kind] {
            [
                Kind(name: "\(name).weight", shape: shape, isInEachLayer: true),
                Kind(name: "\(name).bias", shape: [shape[0]], isInEachLayer: true),
            ]
        }
        func model(_ name: String, _ shape: [Int]) -> Kind { Kind(name: name, shape: shape, isInEachLayer: false) }
        return [
            model("wte.weight", [paddedVocabularySize(configuration.vocabularySize), width]),
            model("wpe.weight", [configuration.blockSize, width]),
        ] + layers("ln_1", [width]) + layers("attn.c_attn", [3 * width, width]) + layers("attn.c_proj", [width, width])
            + layers("ln_2", [width]) + layers("mlp.c_fc", [4 * width, width])
            + layers("mlp.c_proj", [width, 4 * width])
            + [model("ln_f.weight", [width]), model("ln_f.bias", [width])]
    }

    /// Hugging Face's name of a kind, in a layer where it is in each.
    static func name(_ kind: Kind, layer: Int) -> String {
        "transformer." + (kind.isInEachLayer ? "h.\(layer)." : "") + kind.name
    }
}
