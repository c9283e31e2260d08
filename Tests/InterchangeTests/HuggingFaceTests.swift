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

    @Test("The description of a GPT-2 has the bytes that earlier versions wrote")
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

    @Test("What is exported is read back, with and without biases", arguments: [true, false], Activation.allCases)
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

    @Test("A model with a shorter block takes the first positions")
    func crop() throws {
        let model = model()
        try HuggingFaceExport.write(model, to: folder("model"))
        let source = try PretrainedModel(path: folder("model"))
        var shorter = source.configuration
        shorter.blockSize = 4
        let loaded = self.model(shorter, seed: nil)
        try source.load(into: loaded)
        // wte (11, 8), wpe (6, 8), the rest: only the last two rows of wpe are gone.
        #expect(values(loaded) == Array(values(model)[..<(15 * 8)] + values(model)[(17 * 8)...]))
    }

    @Test("A padded vocabulary is exported without its padding, with its tokenizer and the id that ends a text")
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
        "Names without the prefix or within wrappers, and constant masks beside them, are read",
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
        "A model that would be computed differently is refused with key and value",
        arguments: [
            (
                "\"model_type\": \"gpt2\"", "\"model_type\": \"llama\"",
                "model_type is \"llama\", only \"gpt2\" is supported"
            ),
            ("\"n_head\": 2", "\"n_head\": 3", "n_head is 3, only a divisor of n_embd (8) is supported"),
            ("\"n_layer\": 2", "\"n_layer\": -2", "n_layer is -2, only a whole number from 1 to 16777216 is supported"),
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
        "Weights that do not fit their description are refused by tensor",
        arguments: [
            (
                "\"vocab_size\": 11", "\"vocab_size\": 12",
                "tensor transformer.wte.weight has shape [11, 8], but config.json says [12, 8]"
            ),
            (
                "\"n_layer\": 2", "\"n_layer\": 3",
                "has no tensor transformer.h.2.ln_1.weight, which config.json calls for"
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

    @Test("Values that are not finite are refused")
    func refusedValues() throws {
        let model = model()
        model.parameters.base[100] = .infinity
        try HuggingFaceExport.write(model, to: folder("model"))
        let infinite = #expect(throws: UserError.self) {
            try PretrainedModel(path: folder("model")).load(into: model)
        }
        #expect(infinite?.message.contains("tensor transformer.wpe.weight has values that are not finite") == true)
    }

    @Test("The weights decide whether there are biases: transformers trains them, whatever config.json says")
    func trainedBiases() throws {
        let model = model()
        try HuggingFaceExport.write(model, to: folder("model"))
        try edit("config.json", "\"bias\": true", "\"bias\": false")
        let source = try PretrainedModel(path: folder("model"))
        #expect(source.configuration.bias)
        #expect(source.notices.count == 1)
        #expect(
            source.notices.first?.contains(
                "transformer.h.0.ln_1.bias is not zero, so the model has biases, although config.json says that it has none"
            ) == true
        )
        let loaded = self.model(source.configuration, seed: nil)
        try source.load(into: loaded)
        #expect(values(loaded) == values(model))
    }

    @Test("A file without any bias is a model without, and one that lacks some is refused")
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
                        "\(folder("model"))/model.safetensors has no biases, so the model has none (bias=false)"
                    ]
                )
                continue
            }
            let error = #expect(throws: UserError.self) { try PretrainedModel(path: folder("model")) }
            #expect(error?.message.contains(message) == true, "\(String(describing: error))")
        }
    }

    @Test("A folder that exists is replaced only on request, and a folder without a model is an error")
    func folders() throws {
        try HuggingFaceExport.write(model(seed: 1), to: folder("model"))
        let error = #expect(throws: UserError.self) { try HuggingFaceExport.write(model(seed: 2), to: folder("model")) }
        #expect(error?.kind == .usage)
        #expect(throws: UserError.self) { try PretrainedModel(path: folder("nothing")) }
        #expect(try folder.names == ["model"])
    }
}
