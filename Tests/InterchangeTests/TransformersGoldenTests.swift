import Interchange
import Platform
import TestSupport
import Testing
import Transformer

@Suite("Folders written by transformers")
struct TransformersGoldenTests {
    @Test("a model has the logits of transformers, before and after an export", arguments: [false, true])
    func logits(exported: Bool) throws {
        let scratch = try TemporaryFolder()
        var model = try Goldens.load(Goldens.transformers)
        if exported {
            try HuggingFaceExport.write(model, to: scratch("model"))
            model = try Goldens.load(scratch("model"))
        }
        #expect(model.configuration.bias)
        #expect(model.configuration.activation == .gelu_tanh)
        try Goldens.expectLogits(of: model, Goldens.transformers + "/logits.json")
    }

    @Test(
        "a model in several files is read by its folder or its index, and one of its files alone is refused"
    )
    func sharded() throws {
        let whole = try Goldens.load(Goldens.transformers + "/model.safetensors")
        let folder = Goldens.exchange + "/sharded"
        for path in [folder, folder + "/model.safetensors.index.json"] {
            #expect(try Goldens.values(Goldens.load(path)) == Goldens.values(whole))
        }
        let error = #expect(throws: UserError.self) {
            try PretrainedModel(path: folder + "/model-00001-of-00003.safetensors")
        }
        #expect(error?.message.contains("which config.json requires") == true, "\(String(describing: error))")
    }

    @Test(
        "an index with a path outside its folder, or with a tensor that is not in its file, is refused",
        arguments: [
            (#""x/../../model.safetensors""#, "which is not a file name"), ("3", "which is not a file name"),
            (#""..""#, "which is not a file name"),
            (#""model-00003-of-00003.safetensors""#, "has no tensor transformer.wpe.weight, but"),
        ]
    )
    func badIndex(file: String, message: String) throws {
        let scratch = try TemporaryFolder()
        for name in ["config.json", "model-00003-of-00003.safetensors"] {
            try AtomicFile.write(try FileSystem.read("\(Goldens.exchange)/sharded/\(name)"), to: scratch(name))
        }
        let index = #"{"weight_map": {"transformer.wpe.weight": \#(file)}}"#
        try AtomicFile.write(index, to: scratch("model.safetensors.index.json"))
        let error = #expect(throws: UserError.self) { try PretrainedModel(path: scratch.path) }
        #expect(error?.kind == .data)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }
}
