import Interchange
import Platform
import TestSupport
import Testing
import Transformer

@Suite("A folder written by transformers")
struct TransformersGoldenTests {
    @Test("It is read, computes the same logits, and survives an export", arguments: [false, true])
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
        "One in several files with an index is the same, by its folder, its index, and one file without the index is not"
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
        #expect(error?.message.contains("which config.json calls for") == true, "\(String(describing: error))")
    }

    @Test(
        "An index that leads out of its folder, or to a tensor that is not there, is refused",
        arguments: [
            (#""x/../../model.safetensors""#, "which is no name of a file"), ("3", "which is no name of a file"),
            (#""..""#, "which is no name of a file"),
            (#""model-00003-of-00003.safetensors""#, "has no tensor transformer.wpe.weight, which"),
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
