import Foundation
import Interchange
import Platform
import TestSupport
import Testing
import Transformer

@Suite("nanoGPT's ckpt.pt")
struct NanoGPTTests {
    static let checkpoint = Goldens.exchange + "/ckpt.pt"
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    @Test("One that PyTorch wrote after torch.compile is read whatever its name, and computes the same logits")
    func logits() throws {
        try AtomicFile.write(try FileSystem.read(Self.checkpoint), to: folder("weights"))
        let model = try Goldens.load(folder("weights"))
        #expect(!model.configuration.bias)
        #expect(model.configuration.activation == .gelu)
        #expect(model.configuration.vocabularySize == 16)
        try Goldens.expectLogits(of: model, Goldens.exchange + "/ckpt.json")
        // Whose directory has the form of archives above 4 GB.
        #expect(try Goldens.values(Goldens.load(Goldens.exchange + "/ckpt64.pt")) == Goldens.values(model))
    }

    @Test("One whose pickle would run a command is refused by the command's name, and nothing runs")
    func command() throws {
        let error = #expect(throws: UserError.self) { try PretrainedModel(path: Goldens.exchange + "/command.pt") }
        #expect(error?.kind == .data)
        let message = error?.message ?? ""
        #expect(message.contains("its model is an object of posix.system and no state_dict (nothing of it was run)"))
        #expect(FileSystem.kind(of: "ran") == nil)
    }

    @Test(
        "An archive that torch.save would not write is refused",
        arguments: [
            (deflated, "its entry x/data.pkl is compressed or encrypted"),
            (twice, "it has two entries named x/data.pkl"),
        ]
    )
    func strangeArchive(base64: String, message: String) throws {
        try AtomicFile.write([UInt8](try #require(Data(base64Encoded: base64))), to: folder("ckpt.pt"))
        let error = #expect(throws: UserError.self) { try PretrainedModel(path: folder.path) }
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }

    /// Python's zipfile, `writestr("x/data.pkl", ...)`: once with ZIP_DEFLATED, and twice as it is.
    private static let deflated = """
        UEsDBBQAAAAIAMymel1gDJrtBQAAABwAAAAKAAAAeC9kYXRhLnBrbEtMxA0AUEsBAhQDFAAAAAgAzKZ6XWAMmu0FAAAAHAAAAAoA\
        AAAAAAAAAAAAAIABAAAAAHgvZGF0YS5wa2xQSwUGAAAAAAEAAQA4AAAALQAAAAAA
        """
    private static let twice = """
        UEsDBBQAAAAAAMymel09t96JBAAAAAQAAAAKAAAAeC9kYXRhLnBrbIACfS5QSwMEFAAAAAAAzKZ6XT233okEAAAABAAAAAoAAAB4\
        L2RhdGEucGtsgAJ9LlBLAQIUAxQAAAAAAMymel09t96JBAAAAAQAAAAKAAAAAAAAAAAAAACAAQAAAAB4L2RhdGEucGtsUEsBAhQD\
        FAAAAAAAzKZ6XT233okEAAAABAAAAAoAAAAAAAAAAAAAAIABLAAAAHgvZGF0YS5wa2xQSwUGAAAAAAIAAgBwAAAAWAAAAAAA
        """

    /// Replaces bytes of the checkpoint by as many others, everywhere.
    private func edit(_ old: String, _ new: String) throws -> UserError? {
        var bytes = try FileSystem.read(Self.checkpoint)
        let (old, new) = (Array(old.utf8), Array(new.utf8))
        var places = 0
        for start in 0...(bytes.count - old.count) where bytes[start..<start + old.count].elementsEqual(old) {
            bytes.replaceSubrange(start..<start + old.count, with: new)
            places += 1
        }
        #expect(places > 0)
        try AtomicFile.write(bytes, to: folder("ckpt.pt"))
        return #expect(throws: UserError.self) { try Goldens.load(folder.path) }
    }

    @Test(
        "What is wrong with it is said",
        arguments: [
            (
                "n_layer", "n_lazer",
                "n_layer of its model_args must be a whole number from 1 to 16777216, but it is missing"
            ),
            ("model_args", "model_argz", "nothing in weights says how many heads attention has: give --n_head"),
            ("model", "nodel", "no model of nanoGPT's: it has no model with model_args; it has nodel, optimizer"),
            ("FloatStorage", "ShortStorage", "is int16, not float64, float32, float16 or bfloat16"),
            (
                "torch._utils", "torch._otils",
                "transformer.wte.weight\" of its model is an object of torch._otils._rebuild_tensor_v2 and no tensor"
            ),
            (
                "ln_f.weight", "ln_g.weight",
                "has no tensor transformer.ln_f.weight, which model_args calls for; it has _orig_mod.transformer.ln_g.weight"
            ),
            ("ckpt/data.pkl", "ckpt/data.pki", "not one of torch.save: it does not have exactly one data.pkl"),
            ("ckpt/data/0", "ckpt/data/x", "goes beyond the 0 bytes of its storage 0"),
        ]
    )
    func damaged(old: String, new: String, message: String) throws {
        let error = try edit(old, new)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test("One that is cut short anywhere, or has any byte of its directory or pickle changed, never ends the program")
    func fuzzed() throws {
        let whole = try FileSystem.read(Self.checkpoint)
        for length in stride(from: 0, to: whole.count, by: 97) {
            try write(Array(whole[..<length]))
            #expect(throws: UserError.self, "\(length) bytes") { try PretrainedModel(path: folder("ckpt.pt")) }
        }
        // The pickle is at the beginning, the directory at the end.
        let places = Array(0..<3000) + Array(whole.count - 2600..<whole.count)
        for place in stride(from: 0, to: places.count, by: 7).map({ places[$0] }) {
            var bytes = whole
            bytes[place] ^= UInt8(1 << (place % 8)) | 0x80
            try write(bytes)
            do { _ = try Goldens.load(folder("ckpt.pt")) } catch is UserError {}
        }
    }

    /// Without flushing to disk, as there are hundreds.
    private func write(_ bytes: [UInt8]) throws {
        try FileSystem.remove(folder("ckpt.pt"))
        try GrowingFile(path: folder("ckpt.pt"), length: 0).commit(bytes)
    }
}

extension GrowingFile {
    fileprivate func commit(_ bytes: [UInt8]) throws {
        try bytes.withUnsafeBytes { try append($0) }
        try FileSystem.rename(path + ".partial", to: path)
    }
}
