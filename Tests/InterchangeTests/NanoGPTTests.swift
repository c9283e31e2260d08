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

    @Test("a file that PyTorch wrote after torch.compile is read under any name and gives the same logits")
    func logits() throws {
        try AtomicFile.write(try FileSystem.read(Self.checkpoint), to: folder("weights"))
        let model = try Goldens.load(folder("weights"))
        #expect(!model.configuration.bias)
        #expect(model.configuration.activation == .gelu)
        #expect(model.configuration.vocabularySize == 16)
        try Goldens.expectLogits(of: model, Goldens.exchange + "/ckpt.json")
        // The directory of ckpt64.pt has the format for archives above 4 GB.
        #expect(try Goldens.values(Goldens.load(Goldens.exchange + "/ckpt64.pt")) == Goldens.values(model))
    }

    @Test("a pickle that would run a command is refused with the name of the command, and nothing runs")
    func command() throws {
        let error = #expect(throws: UserError.self) { try PretrainedModel(path: Goldens.exchange + "/command.pt") }
        #expect(error?.kind == .data)
        let message = error?.message ?? ""
        #expect(message.contains("its model is an object of posix.system, not a state_dict (no code in it was run)"))
        #expect(FileSystem.kind(of: "ran") == nil)
    }

    @Test(
        "an archive that torch.save would not write is refused",
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

    /// Archives of Python's zipfile with the entry x/data.pkl: once with ZIP_DEFLATED, and twice without compression.
    private static let deflated = """
        UEsDBBQAAAAIAMymel1gDJrtBQAAABwAAAAKAAAAeC9kYXRhLnBrbEtMxA0AUEsBAhQDFAAAAAgAzKZ6XWAMmu0FAAAAHAAAAAoA\
        AAAAAAAAAAAAAIABAAAAAHgvZGF0YS5wa2xQSwUGAAAAAAEAAQA4AAAALQAAAAAA
        """
    private static let twice = """
        UEsDBBQAAAAAAMymel09t96JBAAAAAQAAAAKAAAAeC9kYXRhLnBrbIACfS5QSwMEFAAAAAAAzKZ6XT233okEAAAABAAAAAoAAAB4\
        L2RhdGEucGtsgAJ9LlBLAQIUAxQAAAAAAMymel09t96JBAAAAAQAAAAKAAAAAAAAAAAAAACAAQAAAAB4L2RhdGEucGtsUEsBAhQD\
        FAAAAAAAzKZ6XT233okEAAAABAAAAAoAAAAAAAAAAAAAAIABLAAAAHgvZGF0YS5wa2xQSwUGAAAAAAIAAgBwAAAAWAAAAAAA
        """

    /// Replaces all occurrences of a text in the checkpoint with another text of the same length, and returns the error
    /// of loading it.
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
        "a damaged checkpoint is refused with the reason",
        arguments: [
            (
                "n_layer", "n_lazer",
                "n_layer of its model_args must be a whole number from 1 to 16777216, but it is missing"
            ),
            (
                "model_args", "model_argz",
                "the number of attention heads cannot be derived from weights; pass --n_head"
            ),
            ("model", "nodel", "not a nanoGPT model: it has no model with model_args; it has nodel, optimizer"),
            ("FloatStorage", "ShortStorage", "is int16, not float64, float32, float16 or bfloat16"),
            (
                "torch._utils", "torch._otils",
                "transformer.wte.weight\" of its model is an object of torch._otils._rebuild_tensor_v2, not a supported tensor"
            ),
            (
                "ln_f.weight", "ln_g.weight",
                "has no tensor transformer.ln_f.weight, which model_args requires; it has _orig_mod.transformer.ln_g.weight"
            ),
            ("ckpt/data.pkl", "ckpt/data.pki", "not one of torch.save: it does not have exactly one data.pkl"),
            ("ckpt/data/0", "ckpt/data/x", "goes beyond the 0 bytes of its storage 0"),
        ]
    )
    func damaged(old: String, new: String, message: String) throws {
        let error = try edit(old, new)
        #expect(error?.message.contains(message) == true, "\(String(describing: error))")
    }

    @Test("a truncated checkpoint, or a changed byte in its directory or pickle, never crashes the program")
    func fuzzed() throws {
        let whole = try FileSystem.read(Self.checkpoint)
        for length in stride(from: 0, to: whole.count, by: 97) {
            try write(Array(whole[..<length]))
            #expect(throws: UserError.self, "\(length) bytes") { try PretrainedModel(path: folder("ckpt.pt")) }
        }
        // The pickle is at the start of the file, and the directory is at its end.
        let places = Array(0..<3000) + Array(whole.count - 2600..<whole.count)
        for place in stride(from: 0, to: places.count, by: 7).map({ places[$0] }) {
            var bytes = whole
            bytes[place] ^= UInt8(1 << (place % 8)) | 0x80
            try write(bytes)
            do { _ = try Goldens.load(folder("ckpt.pt")) } catch is UserError {}
        }
    }

    /// Writes the checkpoint without flushing it to disk, which would be too slow for hundreds of files.
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
