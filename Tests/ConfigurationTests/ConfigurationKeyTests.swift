import Platform
import Testing
import Transformer

@testable import Configuration

@Suite struct ConfigurationKeyTests {
    @Test("Built-in defaults are those of nanoGPT's train.py")
    func defaults() {
        let expected = [
            "out_dir": "out", "eval_interval": "2000", "log_interval": "1", "eval_iters": "200", "eval_only": "false",
            "always_save_checkpoint": "true", "init_from": "scratch", "gradient_accumulation_steps": "40",
            "batch_size": "12", "block_size": "1024", "n_layer": "12", "n_head": "12", "n_embd": "768",
            "dropout": "0.0", "bias": "false", "learning_rate": "0.0006", "max_iters": "600000",
            "weight_decay": "0.1", "beta1": "0.9", "beta2": "0.95", "grad_clip": "1.0", "decay_lr": "true",
            "warmup_iters": "2000", "lr_decay_iters": "600000", "min_lr": "6e-05", "seed": "1337",
            "wandb_log": "false", "wandb_project": "owt", "wandb_run_name": "gpt2",
        ]
        for (name, value) in expected {
            #expect(ConfigurationKey.named(name)?.defaultArgument == value, "\(name)")
        }
    }

    @Test("Every default reads back through its own key", arguments: ConfigurationKey.all)
    func defaultsReadBack(key: ConfigurationKey) throws {
        var configuration = TrainingConfiguration()
        try key.set(key.literal(in: configuration), in: &configuration)
        try key.set(argument: key.argument(in: configuration), in: &configuration)
        #expect(configuration == TrainingConfiguration())
    }

    @Test("Every property of a configuration has a key")
    func everyPropertyHasAKey() throws {
        let properties = Mirror(reflecting: TrainingConfiguration()).children.count
        let ablations = Mirror(reflecting: Ablations()).children.count
        #expect(ConfigurationKey.all.count == properties - 1 + ablations)
        // Checkpoints and config.json name them as options do.
        #expect(ConfigurationKey.all.filter { $0.group == .variants }.map(\.name) == GPTConfiguration.variantNames)
        // Two keys that set the same property would hide one that has none.
        for key in ConfigurationKey.all {
            var changed = TrainingConfiguration()
            try key.set(argument: Self.otherValue(for: key), in: &changed)
            let differing = ConfigurationKey.all.filter {
                $0.literal(in: changed) != $0.literal(in: TrainingConfiguration())
            }
            #expect(differing.map(\.name) == (key.name == "dtype" ? [] : [key.name]))
        }
    }

    @Test("Names are underscored, unique, and found with dashes too")
    func names() {
        #expect(Set(ConfigurationKey.all.map(\.name)).count == ConfigurationKey.all.count)
        for key in ConfigurationKey.all {
            #expect(key.name.allSatisfy { $0.isLowercase || $0.isNumber || $0 == "_" })
            let dashed = String(key.name.map { $0 == "_" ? "-" : $0 })
            #expect(ConfigurationKey.named(dashed)?.name == key.name)
        }
    }

    @Test("A value that is not allowed is refused with its origin and what is allowed", arguments: refusals)
    func refusal(name: String, value: String, reason: String) {
        let sources = ConfigurationSources(options: [(name, value)])
        #expect(throws: UserError(.usage, "\(name)=\(value) (command line): \(reason)")) { try sources.resolve() }
    }

    private static let refusals: [(String, String, String)] = [
        ("dropout", "1.0", "must be at least 0 and less than 1"),
        ("dropout", "-0.1", "must be at least 0 and less than 1"),
        ("dropout", "nan", "must be a number, at least 0 and less than 1"),
        ("batch_size", "0", "must be a whole number of at least 1"),
        ("batch_size", "2.5", "must be a whole number of at least 1"),
        ("batch_size", "3000000000", "must be at most 2147483647"),
        ("n_layer", "-1", "must be a whole number from 1 to 10000"),
        ("threads", "2000", "must be a whole number from 0 to 1024"),
        ("learning_rate", "0", "must be more than 0"),
        ("beta2", "1", "must be at least 0 and less than 1"),
        ("bias", "yes", "must be true or false"),
        ("out_dir", "", "must be text that is not empty"),
        ("activation", "gelu-tanh", "must be gelu, gelu_tanh, relu, relu_squared or silu; did you mean gelu_tanh?"),
        (
            "device", "cuda:0",
            "this program computes on CPUs, which its kernels are written for, on one machine or many; on a GPU machine use nanoGPT "
                + "or llm.c, whose checkpoints are read here; must be auto or cpu"
        ),
        (
            "device", "mps",
            "this program computes on CPUs, which its kernels are written for; on Apple silicon leave the option out, and matrix "
                + "products go through Accelerate to the CPU's matrix units; must be auto or cpu"
        ),
        ("dtype", "bfloat16", "computes in float32 only; must be float32"),
        (
            "backend", "nccl", "nccl belongs to PyTorch; must be auto, none, tcp or mpi"
        ),
        (
            "port_range", "2001-2000",
            "must be LOW-HIGH, ports from 1 to 65535 with the lower one first, such as 15000-19999"
        ),
    ]

    /// A value that differs from the key's default (dtype has only one).
    private static func otherValue(for key: ConfigurationKey) -> String {
        switch key.kind {
        case .integer: "3"
        case .number: "0.123"
        case .boolean: key.defaultArgument == "true" ? "false" : "true"
        case .text: ["ablate_heads": "0.1", "port_range": "3000-3001"][key.name] ?? "other"
        case .path: "other"
        case .choice(let choices): choices.first { $0 != key.defaultArgument } ?? choices[0]
        }
    }
}
