import Compute
import Interchange
import Platform
import TestSupport
import Testing
import Tokenizers
import Transformer

@Suite("llm.c's files")
struct LLMCTests {
    static let file = Goldens.exchange + "/model.bin"
    static let characters = CharacterTokenizer(scalars: "\n abcdefghié漢".unicodeScalars.sorted())
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("a file that llm.c's Python script wrote has the weights of the original model")
    func read() throws {
        let model = try Goldens.load(Self.file)
        #expect(Goldens.values(model) == Goldens.values(try Goldens.load(Goldens.transformers)))
    }

    @Test("an exported model and tokenizer have the same bytes as those of llm.c's Python script")
    func write() throws {
        let model = try Goldens.load(Goldens.transformers)
        try LLMCExport.write(model, to: folder("out"), tokenizer: Self.characters)
        for name in ["model.bin", "tokenizer.bin"] {
            #expect(
                try FileSystem.read(folder("out/\(name)")) == FileSystem.read("\(Goldens.exchange)/\(name)"),
                "\(name)"
            )
        }
        #expect(throws: UserError.self) { try LLMCExport.write(model, to: folder("out")) }
        try LLMCExport.write(model, to: folder("out"), replacing: true)
        #expect(try FileSystem.names(inFolder: folder("out")) == ["model.bin"])
    }

    @Test("bfloat16 values are rounded to nearest and read back")
    func bfloat16() throws {
        let model = try Goldens.load(Goldens.transformers)
        try LLMCExport.write(model, to: folder("out"), encoding: .bfloat16)
        let rounded = Goldens.values(try Goldens.load(folder("out/model.bin")))
        // The significand has 8 bits, of which the first is implied, so the relative error is at most 2^-8.
        for (number, original) in zip(rounded, Goldens.values(model)) {
            #expect(abs(number - original) <= abs(original) * 0x1p-8)
        }
        #expect(rounded.allSatisfy { $0.bitPattern & 0xFFFF == 0 })
    }

    @Test("an export with zero biases and a cropped vocabulary computes the same logits")
    func converted() throws {
        var configuration = try Goldens.load(Goldens.transformers).configuration
        configuration.bias = false
        let model = GPT(
            configuration: configuration,
            context: ComputeContext(pool: WorkerPool(threadCount: 1)),
            forTraining: false
        )
        let random = CounterRandom(seed: 5, stream: .test)
        for index in 0..<model.parameters.count {
            model.parameters.base[index] = Float(random.uniform(UInt32(index)) - 0.5)
        }
        try LLMCExport.write(model, to: folder("out"), vocabularySize: 9)
        let loaded = try Goldens.load(folder("out/model.bin"))
        #expect(loaded.configuration.bias)
        #expect(loaded.configuration.vocabularySize == 9)
        let tokens: [Int32] = [3, 0, 8, 7]
        let logits = loaded.logits(tokens: tokens)
        let expected = model.logits(tokens: tokens)
        for row in tokens.indices {
            for token in 0..<9 { #expect(abs(logits[row * 9 + token] - expected[row * 13 + token]) <= 1e-5) }
        }
    }

    @Test(
        "an unsupported activation and a token that is too long are refused by name",
        arguments: Activation.allCases
    )
    func refused(activation: Activation) throws {
        var configuration = try Goldens.load(Goldens.transformers).configuration
        configuration.activation = activation
        let model = GPT(
            configuration: configuration,
            context: ComputeContext(pool: WorkerPool(threadCount: 1)),
            forTraining: false
        )
        guard activation == .gelu_tanh else {
            for write in [
                { try LLMCExport.write(model, to: folder("out")) },
                { try GGUFExport.write(model, to: folder("out"), name: "x") },
            ] {
                let error = #expect(throws: UserError.self) { try write() }
                #expect(error?.kind == .usage)
                #expect(error?.message.contains("activation=\(activation.rawValue)") == true)
            }
            return #expect(try folder.names == [])
        }
        let error = #expect(throws: UserError.self) {
            try LLMCExport.write(model, to: folder("out"), tokenizer: LongTokenizer())
        }
        #expect(error?.message.contains("token 0 of this long tokenizer has 256") == true)
        #expect(try folder.names == [])
    }

    private struct LongTokenizer: Tokenizer {
        let name = "long"
        let vocabularySize = 1
        let endOfText: Int32? = nil
        func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) {}
        func lastCut(in text: UnsafeRawBufferPointer) -> Int { 0 }
        func decode(_ ids: [Int32]) -> [UInt8] { [UInt8](repeating: 0, count: 256) }
    }

    @Test(
        "a header that does not match the size of the file is refused",
        arguments: [
            (1, 1, "has version 1 of llm.c's model format; only 3 and 5 are supported"),
            (1, 5, "has 22720 bytes, but its header requires 11872"), (2, 0, "the block size in its header is 0"),
            (4, 1 << 24, "has 22720 bytes, but its header requires"), (6, 3 << 22, "but its header requires"),
            (5, 5, "the 12 channels in its header are not a multiple of its 5 heads"),
            (7, 13, "its padded vocabulary size is 13, expected 128"),
        ]
    )
    func damaged(word: Int, value: Int, message: String) throws {
        var bytes = try FileSystem.read(Self.file)
        withUnsafeBytes(of: Int32(value).littleEndian) { bytes.replaceSubrange(4 * word..<4 * word + 4, with: $0) }
        try AtomicFile.write(bytes, to: folder("model.bin"))
        let error = #expect(throws: UserError.self) { try Goldens.load(folder("model.bin")) }
        #expect(error?.kind == .data)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
        try AtomicFile.write(Array(bytes[..<500]), to: folder("model.bin"))
        let short = #expect(throws: UserError.self) { try Goldens.load(folder("model.bin")) }
        #expect(short?.message.contains("is truncated") == true)
    }

    @Test(
        "a file of an unknown format is refused with the supported formats",
        arguments: ["", "hello, this is no model", "GGUF and more"]
    )
    func unknown(text: String) throws {
        try AtomicFile.write(text, to: folder("file"))
        let error = #expect(throws: UserError.self) { try PretrainedModel(path: folder("file")) }
        #expect(error?.kind == .data)
        #expect(
            error?.message.contains(
                text.hasPrefix("GGUF") ? "can be written but not read" : "supported are safetensors"
            )
                == true
        )
    }
}
