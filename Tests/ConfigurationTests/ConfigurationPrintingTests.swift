import Platform
import Testing

@testable import Configuration

@Suite struct ConfigurationPrintingTests {
    @Test("The printed configuration reads back to the same values", arguments: Preset.allCases)
    func roundTrip(preset: Preset) throws {
        let options = [
            ("preset", preset.rawValue), ("n_head", "2"), ("n_embd", "34"), ("learning_rate", "1.2345678901234567e-3"),
            ("min_lr", "1e-5"), ("dropout", "0.1"), ("bias", "True"), ("activation", "relu"),
            ("seed", "9007199254740993"),
            ("dataset", "it's a \"name\" # with\nall"), ("data_dir", "C:\\data\t"), ("out_dir", "\u{301}ö/🎭"),
            ("sampling", "sequential"), ("threads", "3"), ("keep_checkpoints", "2"), ("wandb_project", ""),
        ]
        let original = try ConfigurationSources(options: options).resolve()
        var read = ResolvedConfiguration(TrainingConfiguration())
        for setting in try ConfigurationFile.content(text: original.toml, path: "config.toml").settings {
            try read.apply(setting)
        }
        #expect(read.values == original.values)
        #expect(read.values.dataset == "it's a \"name\" # with\nall")
    }

    @Test("Each value is printed with its origin")
    func origins() throws {
        var resolved = try ConfigurationSources(options: [("n_layer", "2")]).resolve()
        resolved.choose("shakespeare_char is not there", \.dataset, "demo")
        let lines = resolved.toml.split(separator: "\n").map(String.init)
        func line(_ name: String) -> String? {
            lines.first { $0.hasPrefix("\(name) ") }?.split(separator: " ").joined(separator: " ")
        }
        #expect(line("n_layer") == "n_layer = 2 # command line")
        #expect(line("n_embd") == "n_embd = 128 # preset baby")
        #expect(line("weight_decay") == "weight_decay = 0.1 # built-in default")
        #expect(line("dataset") == "dataset = \"demo\" # shakespeare_char is not there")
        #expect(line("overwrite") == nil)
    }

    @Test("The line that repeats a run holds what differs from its preset, and gives the same values")
    func arguments() throws {
        let sources = ConfigurationSources(options: [("max_iters", "7"), ("dataset", "demo"), ("n_layer", "4")])
        let resolved = try sources.resolve()
        #expect(resolved.arguments == ["--preset=baby", "--dataset=demo", "--max_iters=7"])
        let again = try ConfigurationSources(
            options: resolved.arguments.map { argument in
                let parts = argument.dropFirst(2).split(separator: "=", maxSplits: 1)
                return (String(parts[0]), String(parts[1]))
            }
        ).resolve()
        #expect(again.values == resolved.values)
    }

    @Test(
        "The nearest name is found whatever the mistake",
        arguments: [
            ("batchsize", "batch_size"), ("batch_szie", "batch_size"), ("Batch-Size", "batch_size"), ("lr", nil),
            ("nlayer", "n_layer"), ("block_sizes", "block_size"), ("warmup", "warmup_iters"), ("xyzzyxyzzy", nil),
        ] as [(String, String?)]
    )
    func nearestName(typed: String, expected: String?) {
        let found = NearestName.suggestion(for: typed, among: ConfigurationKey.all.map(\.name))
        #expect(found == expected)
    }
}
