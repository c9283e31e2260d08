import Compute
import Formats
import ModelFiles
import Platform
import TestSupport
import Testing
import Tokenizers
import Transformer

@testable import Interchange

@Suite("Hugging Face folders")
struct HuggingFaceTests {
    let folder: TemporaryFolder
    static let configuration = GPTConfiguration(
        layerCount: 2,
        headCount: 2,
        embeddingSize: 8,
        blockSize: 6,
        vocabularySize: 11,
        bias: true,
        activation: .gelu_tanh
    )

    init() throws { folder = try TemporaryFolder() }

    func model(_ configuration: GPTConfiguration = configuration, seed: UInt64? = 5) -> GPT {
        let model = GPT(configuration: configuration, context: ComputeContext(pool: WorkerPool(threadCount: 1)))
        guard let seed else { return model }
        let random = CounterRandom(seed: seed, stream: .test)
        for index in 0..<model.parameters.count {
            model.parameters.base[index] = Float(2 * random.uniform(UInt32(index)) - 1)
        }
        return model
    }

    func values(_ model: GPT) -> [Float] { Array(model.parameters.elements) }

    func edit(_ file: String, _ old: String, _ new: String) throws {
        let text = String(decoding: try FileSystem.read(folder("model/\(file)")), as: UTF8.self)
        #expect(text.contains(old))
        try AtomicFile.write(text.replacing(old, with: new), to: folder("model/\(file)"))
    }

    @Test("the config.json of a GPT-2 has the same bytes as in earlier versions")
    func description() {
        let model = GPTConfiguration(
            layerCount: 2,
            headCount: 4,
            embeddingSize: 32,
            blockSize: 64,
            vocabularySize: 50257,
            bias: true,
            dropout: 0.1,
            activation: .gelu_tanh
        )
        #expect(
            HuggingFaceConfiguration.text(model, endOfText: 50256) == """
                {
                  "architectures": ["GPT2LMHeadModel"],
                  "model_type": "gpt2",
                  "vocab_size": 50257,
                  "n_positions": 64,
                  "n_ctx": 64,
                  "n_embd": 32,
                  "n_layer": 2,
                  "n_head": 4,
                  "n_inner": null,
                  "activation_function": "gelu_new",
                  "layer_norm_epsilon": 1e-05,
                  "embd_pdrop": 0.1,
                  "attn_pdrop": 0.1,
                  "resid_pdrop": 0.1,
                  "scale_attn_weights": true,
                  "scale_attn_by_inverse_layer_idx": false,
                  "tie_word_embeddings": true,
                  "bos_token_id": 50256,
                  "eos_token_id": 50256,
                  "dtype": "float32",
                  "bias": true
                }

                """
        )
    }

    @Test("an exported model is read back, with and without biases", arguments: [true, false], Activation.allCases)
    func roundTrip(bias: Bool, activation: Activation) throws {
        var configuration = Self.configuration
        configuration.bias = bias
        configuration.activation = activation
        let model = model(configuration)
        try HuggingFaceExport.write(model, to: folder("model"))
        let source = try PretrainedModel(path: folder("model"))
        #expect(source.configuration == configuration)
        let loaded = self.model(source.configuration, seed: nil)
        try source.load(into: loaded)
        #expect(values(loaded) == values(model))
    }

    @Test("loading into a model with a smaller block size copies the first positions")
    func crop() throws {
        let model = model()
        try HuggingFaceExport.write(model, to: folder("model"))
        let source = try PretrainedModel(path: folder("model"))
        var shorter = source.configuration
        shorter.blockSize = 4
        let loaded = self.model(shorter, seed: nil)
        try source.load(into: loaded)
        // wte is (11, 8) and wpe is (6, 8). Only the last two rows of wpe are left out.
        #expect(values(loaded) == Array(values(model)[..<(15 * 8)] + values(model)[(17 * 8)...]))
    }

    @Test("a padded vocabulary is exported without its padding, with its tokenizer and end-of-text id")
    func croppedVocabulary() throws {
        let tokenizer = try TokenizerFile.open(Goldens.fixtures + "/bytepair/small.tiktoken")
        let end = try #require(tokenizer.endOfText)
        var configuration = Self.configuration
        configuration.vocabularySize = tokenizer.vocabularySize + 2
        try HuggingFaceExport.write(
            model(configuration),
            to: folder("model"),
            vocabularySize: tokenizer.vocabularySize,
            tokenizer: tokenizer
        )
        let source = try PretrainedModel(path: folder("model"))
        #expect(source.configuration.vocabularySize == tokenizer.vocabularySize)
        let json = try JSONValue(ofFile: folder("model/config.json"))
        #expect(json["eos_token_id"] == .integer(Int(end)))
        let names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]
        #expect(try FileSystem.names(inFolder: folder("model")) == names)
    }

    @Test(
        "tensor names without the prefix or with wrappers are read, and constant masks are ignored",
        arguments: ["", "_orig_mod.", "module.transformer."]
    )
    func prefixes(prefix: String) throws {
        let model = model()
        try HuggingFaceExport.write(model, to: folder("model"))
        let mask = FloatBuffer(count: 36)
        _ = try model.layout.withHuggingFaceTensors(of: model.parameters) { tensors in
            try SafetensorsWriter.write(
                path: folder("model/model.safetensors"),
                tensors: tensors.map { (prefix + $0.name.dropFirst("transformer.".count), $0.shape, $0.values) }
                    + ["bias", "masked_bias"].map {
                        (prefix + "h.0.attn." + $0, [1, 1, 6, 6], UnsafeBufferPointer(mask.elements))
                    }
            )
        }
        let loaded = self.model(seed: nil)
        try PretrainedModel(path: folder("model")).load(into: loaded)
        #expect(values(loaded) == values(model))
    }

    @Test(
        "a model that is not supported is refused with the key and its value",
        arguments: [
            (
                "\"model_type\": \"gpt2\"", "\"model_type\": \"llama\"",
                "model_type is \"llama\", but only \"gpt2\" is supported"
            ),
            ("\"n_head\": 2", "\"n_head\": 3", "n_head is 3, but only a divisor of n_embd (8) is supported"),
            (
                "\"n_layer\": 2", "\"n_layer\": -2",
                "n_layer is -2, but only a whole number from 1 to 16777216 is supported"
            ),
        ]
    )
    func refusedConfiguration(old: String, new: String, message: String) throws {
        try HuggingFaceExport.write(model(), to: folder("model"))
        try edit("config.json", old, new)
        #expect(throws: UserError(.data, folder("model/config.json") + ": " + message)) {
            try PretrainedModel(path: folder("model"))
        }
    }

    @Test(
        "weights that do not match config.json are refused with the tensor",
        arguments: [
            (
                "\"vocab_size\": 11", "\"vocab_size\": 12",
                "tensor transformer.wte.weight has shape [11, 8], but config.json requires [12, 8]"
            ),
            (
                "\"n_layer\": 2", "\"n_layer\": 3",
                "has no tensor transformer.h.2.ln_1.weight, which config.json requires"
            ),
            (
                "\"n_layer\": 2", "\"n_layer\": 1",
                "has a tensor transformer.h.1.attn.c_attn.bias, which GPT-2 does not have"
            ),
            ("\"n_layer\": 2", "\"n_layer\": 5000", "has 28 tensors, too few for the 5000 layers of config.json"),
        ]
    )
    func refusedWeights(old: String, new: String, message: String) throws {
        try HuggingFaceExport.write(model(), to: folder("model"))
        try edit("config.json", old, new)
        let error = #expect(throws: UserError.self) { try PretrainedModel(path: folder("model")) }
        #expect(error?.kind == .data)
        #expect(error?.message.hasSuffix(message) == true, "\(error?.message ?? "")")
    }

    @Test("weights that are not finite are refused")
    func refusedValues() throws {
        let model = model()
        model.parameters.base[100] = .infinity
        try HuggingFaceExport.write(model, to: folder("model"))
        let infinite = #expect(throws: UserError.self) {
            try PretrainedModel(path: folder("model")).load(into: model)
        }
        #expect(infinite?.message.contains("tensor transformer.wpe.weight has values that are not finite") == true)
    }

    @Test("the weights decide whether there are biases, because transformers ignores the key bias of config.json")
    func trainedBiases() throws {
        let model = model()
        try HuggingFaceExport.write(model, to: folder("model"))
        try edit("config.json", "\"bias\": true", "\"bias\": false")
        let source = try PretrainedModel(path: folder("model"))
        #expect(source.configuration.bias)
        #expect(source.notices.count == 1)
        #expect(
            source.notices.first?.contains(
                "transformer.h.0.ln_1.bias is not zero, so the model has biases, although config.json says that it has none (bias=false)"
            ) == true
        )
        let loaded = self.model(source.configuration, seed: nil)
        try source.load(into: loaded)
        #expect(values(loaded) == values(model))
    }

    @Test("a file without biases is a model without biases, and a file with only some biases is refused")
    func absentBiases() throws {
        var configuration = Self.configuration
        configuration.bias = false
        let model = model(configuration)
        try HuggingFaceExport.write(model, to: folder("model"))
        try edit("config.json", "\"bias\": false", "\"bias\": true")
        #expect(try PretrainedModel(path: folder("model")).configuration.bias)
        for (kept, message) in [("", nil), ("transformer.ln_f.bias", "has no tensor transformer.h.0.ln_1.bias")] {
            _ = try model.layout.withHuggingFaceTensors(of: model.parameters) { tensors in
                let tensors = tensors.filter { !$0.name.hasSuffix(".bias") || $0.name == kept }
                try SafetensorsWriter.write(path: folder("model/model.safetensors"), tensors: tensors)
            }
            guard let message else {
                let source = try PretrainedModel(path: folder("model"))
                #expect(source.configuration == configuration)
                #expect(
                    source.notices == [
                        "\(folder("model"))/model.safetensors has no bias tensors, so the model has no biases (bias=false)"
                    ]
                )
                continue
            }
            let error = #expect(throws: UserError.self) { try PretrainedModel(path: folder("model")) }
            #expect(error?.message.contains(message) == true, "\(String(describing: error))")
        }
    }

    @Test("an existing folder is replaced only on request, and a path without a model is refused")
    func folders() throws {
        try HuggingFaceExport.write(model(seed: 1), to: folder("model"))
        let error = #expect(throws: UserError.self) { try HuggingFaceExport.write(model(seed: 2), to: folder("model")) }
        #expect(error?.kind == .usage)
        #expect(throws: UserError.self) { try PretrainedModel(path: folder("nothing")) }
        #expect(try folder.names == ["model"])
    }
}
