import Interchange
import Platform
import TestSupport
import Testing
import Tokenizers

@Suite("GGUF files")
struct GGUFTests {
    @Test("an exported file has the same bytes as that of the gguf package")
    func write() throws {
        let folder = try TemporaryFolder()
        let model = try Goldens.load(Goldens.transformers)
        let tokenizer = LLMCTests.characters
        try GGUFExport.write(model, to: folder("model.gguf"), name: "golden", tokenizer: tokenizer)
        let (found, golden) = (
            try FileSystem.read(folder("model.gguf")), try FileSystem.read(Goldens.exchange + "/model.gguf")
        )
        #expect(found.count == golden.count)
        let place = zip(found, golden).enumerated().first { $0.element.0 != $0.element.1 }?.offset
        #expect(place == nil, "the first byte that differs")
        let error = #expect(throws: UserError.self) { try GGUFExport.write(model, to: folder("model.gguf"), name: "x") }
        #expect(error?.kind == .usage)
        try GGUFExport.write(model, to: folder("model.gguf"), name: "x", replacing: true)
        #expect(try FileSystem.size(ofFile: folder("model.gguf")) < golden.count)
        #expect(try folder.names == ["model.gguf"])
    }

    @Test("the byte-level form of byte and character tokenizers keeps their ids")
    func byteLevelForm() throws {
        let bytes = ByteLevelForm(ByteTokenizer())
        #expect(bytes.names.count == 256 && Set(bytes.names).count == 256)
        #expect(bytes.names[65] == "A" && bytes.names[10] == "Ċ" && bytes.merges.isEmpty)
        let characters = ByteLevelForm(LLMCTests.characters)
        #expect(characters.names[1] == "Ġ" && characters.names[11] == "Ã©")
        // 漢 has the three bytes E6 BC A2, which need two merges.
        #expect(characters.merges == ["Ã ©", "æ ¼", "æ¼ ¢"])
    }
}
