import Foundation
import Preparation
import TestSupport
import Testing
import Configuration

@Suite struct ConfigurationDatasetTests {
    @Test("Data of characters or bytes get the CPU form, BPE data GPT-2's")
    func presentData() throws {
        let folder = try TemporaryFolder()
        let text = String(repeating: "Some text of one's own. ", count: 20)
        try text.write(toFile: folder("text"), atomically: true, encoding: .utf8)
        for (name, tokenizer) in [("char", TokenizerSource.char), ("byte", .byte)] {
            let request = PreparationRequest(
                source: .inputs([folder("text")]),
                name: name,
                dataFolder: folder("data"),
                tokenizer: tokenizer
            )
            _ = try DataPreparation.run(request)
            #expect(Preset.suiting(dataDir: folder("data"), dataset: name) == .baby)
        }
        // As nanoGPT leaves GPT-2's tokens: without a word about them.
        try FileManager.default.createDirectory(atPath: folder("data/tokens"), withIntermediateDirectories: true)
        for name in ["train.bin", "val.bin"] {
            try Data(repeating: 1, count: 200).write(to: URL(fileURLWithPath: folder("data/tokens/\(name)")))
        }
        #expect(Preset.suiting(dataDir: folder("data"), dataset: "tokens") == .gpt2)
    }

    @Test("Of data that are not there, the name decides")
    func missingData() {
        for (name, preset) in [
            ("shakespeare_char", Preset.baby), ("demo", .baby), ("novels", .baby), ("openwebtext", .gpt2),
            ("shakespeare", .gpt2), ("tinystories", .gpt2),
        ] {
            #expect(Preset.suiting(dataDir: "/nowhere", dataset: name) == preset, "\(name)")
        }
    }
}
