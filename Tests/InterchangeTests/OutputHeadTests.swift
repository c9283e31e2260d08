import Compute
import Formats
import ModelFiles
import Platform
import TestSupport
import Testing
import Transformer

@testable import Interchange

@Suite("Output heads of models from other tools")
struct OutputHeadTests {
    private let folder: TemporaryFolder
    private let model: GPT
    private static let differs = "lm_head.weight differs from transformer.wte.weight, so the output head is not tied"

    init() throws {
        folder = try TemporaryFolder()
        model = try Goldens.load(Goldens.transformers)
    }

    /// Writes the model in the format of transformers with changed tensors.
    ///
    /// - Parameter isTied: The value of tie_word_embeddings in its config.json, or nil to leave the key out.
    private func write(isTied: Bool? = nil, _ change: (inout [SafetensorsWriter.Tensor]) -> Void) throws {
        let members = try #require(JSONValue(ofFile: Goldens.transformers + "/config.json").objectValue)
        let said = isTied.map { [JSONValue.Member("tie_word_embeddings", .bool($0))] } ?? []
        let description = JSONValue.object(members.filter { $0.name != "tie_word_embeddings" } + said)
        try AtomicFile.write(description.text(), to: folder("config.json"))
        _ = try model.layout.withHuggingFaceTensors(of: model.parameters) { tensors in
            var tensors = tensors
            change(&tensors)
            try SafetensorsWriter.write(path: folder("model.safetensors"), tensors: tensors)
        }
    }

    /// Calls `body` with a copy of the token embedding as an output head.
    ///
    /// - Parameters:
    ///   - rows: The number of rows, or nil for that of the token embedding.
    ///   - changed: Whether to change one value.
    private func withHead(_ rows: Int? = nil, changed: Bool, _ body: (SafetensorsWriter.Tensor) throws -> Void) rethrows
    {
        let shape = model.layout.tensor(named: "transformer.wte.weight")!.shape
        let count = (rows ?? shape[0]) * shape[1]
        let values = FloatBuffer(count: count)
        for index in 0..<count { values.base[index] = model.parameters.base[index % (shape[0] * shape[1])] }
        if changed { values.base[count - 1] += 1 }
        try body(("lm_head.weight", [rows ?? shape[0], shape[1]], UnsafeBufferPointer(values.elements)))
    }

    @Test("models with tied and untied heads have the losses of transformers and PyTorch")
    func cases() throws {
        try Cases.expect(Cases.models + "/hf-good", loss: 1.8697)
        try Cases.expect(Cases.models + "/hf-head-differs", loss: 2.8472, notices: [Self.differs])
        try Cases.expect(Cases.models + "/ckpt-untied", loss: 1.4960, notices: [Self.differs])
        try Cases.expect(
            Cases.models + "/hf-only-head",
            loss: 1.8697,
            notices: ["has no transformer.wte.weight; using lm_head.weight as the token embedding too"]
        )
    }

    @Test(
        "a head with other values is not tied, whatever config.json says, with and without the name prefix",
        arguments: [nil, true, false],
        [true, false]
    )
    func ownHead(isTied: Bool?, hasPrefix: Bool) throws {
        try withHead(changed: true) { head in
            try write(isTied: isTied) { tensors in
                tensors.append(head)
                if !hasPrefix {
                    tensors = tensors.map { ($0.name.replacing("transformer.", with: ""), $0.shape, $0.values) }
                }
            }
            let source = try PretrainedModel(path: folder.path)
            #expect(!source.configuration.tiedHead)
            #expect(source.notices.count == (isTied == false ? 0 : 1), "\(source.notices)")
            let loaded = try Goldens.load(folder.path)
            #expect(Array(loaded.parameters.elements[loaded.layout.outputHead]) == Array(head.values))
            #expect(loaded.layout.tokenEmbedding != loaded.layout.outputHead)

            // An export keeps the untied head and writes tie_word_embeddings false.
            try HuggingFaceExport.write(loaded, to: folder("exported"))
            let exported = try PretrainedModel(path: folder("exported"))
            #expect(!exported.configuration.tiedHead && exported.notices.isEmpty)
            #expect(try Goldens.values(Goldens.load(folder("exported"))) == Goldens.values(loaded))
            let description = try JSONValue(ofFile: folder("exported/config.json"))
            #expect(description["tie_word_embeddings"] == .bool(false) && description["model_type"] == .string("gpt2"))
        }
    }

    @Test("a head with the values of the token embedding is tied, without a notice")
    func tied() throws {
        try withHead(changed: false) { head in
            try write { $0.append(head) }
            let source = try PretrainedModel(path: folder.path)
            #expect(source.configuration.tiedHead && source.notices.isEmpty)
            #expect(try Goldens.values(Goldens.load(folder.path)) == Goldens.values(model))
        }
    }

    @Test(
        "a head without a token embedding is also the token embedding, with and without the name prefix",
        arguments: [true, false]
    )
    func onlyHead(hasPrefix: Bool) throws {
        try write { tensors in
            tensors[0].name = "lm_head.weight"
            if !hasPrefix {
                tensors = tensors.map { ($0.name.replacing("transformer.", with: ""), $0.shape, $0.values) }
            }
        }
        #expect(try PretrainedModel(path: folder.path).configuration.tiedHead)
        #expect(try Goldens.values(Goldens.load(folder.path)) == Goldens.values(model))
    }

    private func expectRefusal(_ message: String) {
        let error = #expect(throws: UserError.self) { try PretrainedModel(path: folder.path) }
        #expect(error?.kind == .data)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test("a head with another number of rows is refused with both shapes", arguments: [11, 16])
    func otherRows(rows: Int) throws {
        let (rowCount, width) = (model.configuration.vocabularySize, model.configuration.embeddingSize)
        try withHead(rows, changed: true) { head in
            try write { $0.append(head) }
            expectRefusal(
                "lm_head.weight has shape [\(rows), \(width)], but transformer.wte.weight has [\(rowCount), \(width)]"
            )
            try write(isTied: false) { $0.append(head) }
            expectRefusal(
                "lm_head.weight has shape [\(rows), \(width)], but config.json requires [\(rowCount), \(width)]"
            )
        }
    }

    @Test("an untied model without its head or embedding is refused with a list of its unknown tensors")
    func missing() throws {
        try write(isTied: false) { _ in }
        expectRefusal("has no tensor lm_head.weight, which config.json requires")
        try write(isTied: false) { $0[0].name = "lm_head.weight" }
        expectRefusal("has no tensor transformer.wte.weight, which config.json requires")
        try write { $0[0].name = "transformer.tokens_embed.weight" }
        expectRefusal(
            "has no tensor transformer.wte.weight, which config.json requires; it has transformer.tokens_embed.weight"
        )
        try write { tensors in tensors = tensors.map { ("model." + $0.name, $0.shape, $0.values) } }
        expectRefusal(
            "requires; it has model.transformer.h.0.attn.c_attn.bias, model.transformer.h.0.attn.c_attn.weight, "
        )
    }
}
