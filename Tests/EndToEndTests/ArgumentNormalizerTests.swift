import ArgumentParser
import Configuration
import Formats
import Platform
import Testing
import Training

@testable import ddp_train

@Suite struct ArgumentNormalizerTests {
    private static let normalizer = Result { ArgumentNormalizer(try OptionTable(of: DDPTrain.self)) }

    private func normalize(_ line: String) throws -> String {
        try Self.normalizer.get().normalize(line.split(separator: " ").map(String.init)).joined(separator: " ")
    }

    @Test(
        "Command lines come into the parser's form",
        arguments: [
            ("config --batch_size=4", "config --batch_size=4"),
            ("config --batch_size 4", "config --batch_size=4"),
            ("config --batch-size 4 a.toml", "config --batch_size=4 a.toml"),
            ("config a.toml b.py --n-embd=8", "config a.toml b.py --n_embd=8"),
            ("config --out_dir= --bias=", "config --out_dir  --bias "),
            ("config --bias", "config --bias=true"),
            ("config --bias a.toml", "config --bias=true a.toml"),
            ("config --bias False a.toml", "config --bias=False a.toml"),
            ("config --bias=no", "config --bias=no"),
            ("config --min_lr -1e-3", "config --min_lr=-1e-3"),
            ("config --out_dir --odd", "config --out_dir=--odd"),
            ("config --out_dir --bias", "config --out_dir --bias=true"),
            ("config --out_dir=a=b", "config --out_dir=a=b"),
            ("config --json", "config --json"),
            ("config --json=true", "config --json"),
            ("config --json False", "config"),
            ("config -- --bias", "config -- --bias"),
            ("", "train"),
            ("a.toml --eval-only", "train a.toml --eval_only=true"),
            ("--init_from=resume", "train --init_from=resume"),
            ("prepare --input a.txt b.txt --name x", "prepare --input a.txt b.txt --name=x"),
            ("sample --start -", "sample --start=-"),
            ("sample --start --- --top-k 5", "sample --start=--- --top_k=5"),
            ("launch -n 4 --dataset=x --bias", "launch --ranks=4 -- --dataset=x --bias"),
            ("launch -n4 --max-restarts 2 -- --ranks=7", "launch --ranks=4 --max_restarts=2 -- --ranks=7"),
            ("launch -n=4 a.toml -n 5", "launch --ranks=4 -- a.toml -n 5"),
            ("launch --ranks 4 doctor --json -- x", "launch --ranks=4 -- doctor --json -- x"),
            ("launch -x", "launch -- -x"),
            ("launch -n", "launch --ranks"),
            ("launch -h", "launch --help"),
            ("--help", "--help"),
            ("help config", "help config"),
            ("config --help", "config --help"),
        ]
    )
    func forms(typed: String, expected: String) throws {
        #expect(try normalize(typed) == expected)
    }

    @Test(
        "Unknown options name the nearest one, unknown commands too",
        arguments: [
            ("config --batchsize=4", "unknown option --batchsize; did you mean --batch_size?"),
            ("config --n-layers 4", "unknown option --n-layers; did you mean --n_layer?"),
            ("config --zzzzzzzz", "unknown option --zzzzzzzz; see ddp-train config --help"),
            ("config --json=maybe", "--json=maybe: must be true or false"),
            (
                "--nproc-per-node=2",
                "unknown option --nproc-per-node, which is torchrun's: start ranks with ddp-train launch -n 4, or with mpirun "
                    + "-np 4 ddp-train"
            ),
            ("--preset=char config", "the command config comes before its options, as in ddp-train config --help"),
            (
                "--seed 1 tokenizer info",
                "the command tokenizer comes before its options, as in ddp-train tokenizer --help"
            ),
            ("confg", "unknown command confg, and no configuration file has that name; did you mean config?"),
        ]
    )
    func errors(typed: String, message: String) {
        #expect(throws: UserError(.usage, message)) { try normalize(typed) }
    }

    @Test(
        "What the parser finds wrong is said as everything else is",
        arguments: [
            (["sample", "--which=newest"], "which=newest: must be best or latest"),
            (["eval", "--split=all"], "split=all: must be train or val"),
            (["export"], "--out=<path> is missing"), (["report"], "<run> is missing"),
            (["checkpoint", "diff", "a"], "<second> is missing"),
            (["checkpoint", "list", "a", "b", "c"], "2 unexpected arguments: 'b', 'c'"),
        ]
    )
    func parserMessages(arguments: [String], message: String) throws {
        let normalized = try Self.normalizer.get().normalize(arguments)
        let error = #expect(throws: (any Error).self) { try DDPTrain.parseAsRoot(normalized) }
        #expect(ParserMessage.text(DDPTrain.message(for: try #require(error))) == message)
    }

    @Test("The parser's options are the registry's keys, in its groups")
    func optionsAreTheRegistry() throws {
        let table = try OptionTable(of: DDPTrain.self)
        let keys = Set(ConfigurationKey.all.map(\.name))
        #expect(Set(table.commands["train"]!.keys) == keys.union(["from", "help", "version"]))
        #expect(Set(table.commands["config"]!.keys) == keys.union(["help", "version", "json"]))
        for key in ConfigurationKey.all {
            #expect(table.commands["train"]![key.name] == (key.kind == .boolean ? .boolean : .value), "\(key.name)")
        }
        let help = DDPTrain.helpMessage(for: Train.self, columns: 10_000)
        var group = ""
        for line in help.split(separator: "\n") {
            if line.hasSuffix(":"), !line.hasPrefix(" ") { group = line.dropLast().lowercased() }
            guard line.hasPrefix("  --") else { continue }
            let name = String(line.dropFirst(4).prefix { $0 != " " })
            guard let key = ConfigurationKey.named(name) else { continue }
            #expect(group == key.group.rawValue.lowercased(), "--\(name)")
        }
        for key in ConfigurationKey.all { #expect(help.contains(key.help), "\(key.name)") }
    }

    @Test("What completes a value, and what help calls it, follow from the kind of the option")
    func kinds() throws {
        let tool = try JSONValue(parsing: Array(DDPTrain._dumpHelp().utf8))
        let commands = tool["command"]?["subcommands"]?.arrayValue ?? []
        let config = try #require(commands.first { $0["commandName"]?.stringValue == "config" })
        for key in ConfigurationKey.all {
            let argument = try #require(
                config["arguments"]?.arrayValue?.first { $0["preferredName"]?["name"]?.stringValue == key.name }
            )
            let completion = argument["completionKind"]
            let values = completion?["list"]?["values"]?.arrayValue?.compactMap(\.stringValue)
            let name = argument["valueName"]?.stringValue
            switch key.kind {
            case .integer: #expect(completion == nil && name == "n", "\(key.name)")
            case .number: #expect(completion == nil && name == "x", "\(key.name)")
            case .text: #expect(completion == nil && name == "text", "\(key.name)")
            case .boolean: #expect(values == ["true", "false"] && name == "true|false", "\(key.name)")
            case .choice(let choices):
                #expect(values == choices && name == choices.joined(separator: "|"), "\(key.name)")
            case .path(.folder): #expect(completion?["directory"] != nil && name == "folder", "\(key.name)")
            case .path(.file): #expect(completion?["file"] != nil && name == "file", "\(key.name)")
            case .path(.fileOrName): #expect(completion?["file"] != nil && name == "text", "\(key.name)")
            }
        }
    }

    @Test("What is typed for a key reaches the configuration")
    func valuesArrive() throws {
        // All at once: the parser is slow to set up in debug builds.
        let typed = ConfigurationKey.all.map { key in
            switch key.kind {
            case .integer: (key.name, "3")
            case .number: (key.name, "0.25")
            case .boolean: (key.name, key.defaultArgument == "true" ? "false" : "true")
            case .text, .path: (key.name, "text of \(key.name)")
            case .choice(let choices): (key.name, choices.last!)
            }
        }
        let command = try DDPTrain.parseAsRoot(["config"] + typed.map { "--\($0)=\($1)" } + ["a.toml", "b.toml"])
        let sources = try #require(command as? Config).sources
        #expect(sources.files == ["a.toml", "b.toml"])
        #expect(sources.options.map { "\($0.name)=\($0.value)" } == typed.map { "\($0)=\($1)" })
    }
}
