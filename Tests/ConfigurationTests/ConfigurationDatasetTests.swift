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

@Suite("Options that ranks of a job have in common")
struct JobOptionTests {
    private func names(_ options: [(name: String, value: String)]) throws -> Set<String> {
        let sources = ConfigurationSources(options: options)
        return Set(try sources.resolve(presetForDataset: Preset.suiting).ownJobOptions.map(\.name))
    }

    private let all = Set(ConfigurationKey.all.filter { $0.scope == .job }.map(\.name))

    @Test("Before ranks meet, all are compared that no file of one machine decides")
    func compared() throws {
        #expect(try names([]) == all)
        #expect(try names([("dataset", "demo"), ("data_dir", "/nowhere"), ("seed", "7")]) == all)
        #expect(try names([("dataset", "novels"), ("data_dir", "/nowhere"), ("preset", "gpt2")]) == all)
    }

    @Test("What suits a dataset that is missing here is not compared: it may be there on another machine")
    func missingData() throws {
        let known = try names([("dataset", "novels"), ("data_dir", "/nowhere"), ("n_head", "3"), ("n_embd", "96")])
        #expect(known.isSuperset(of: ["dataset", "n_head", "n_embd", "seed", "backend"]))
        #expect(known.isDisjoint(with: ["preset", "n_layer", "block_size"]))
    }

    @Test("Of a resumed run, only what was asked for now is compared: the rest may be saved on rank 0's machine alone")
    func resumed() throws {
        let folder = try TemporaryFolder()
        try "seed = 7\nn_layer = 3\n".write(toFile: folder("config.toml"), atomically: true, encoding: .utf8)
        let given = [("init_from", "resume"), ("out_dir", folder.path), ("max_iters", "9")]
        #expect(try names(given) == ["init_from", "max_iters"])
    }
}
