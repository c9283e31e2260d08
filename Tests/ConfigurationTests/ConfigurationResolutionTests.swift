import Foundation
import Platform
import Testing
import Transformer

@testable import Configuration

@Suite struct ConfigurationResolutionTests {
    @Test("Defaults give way to the preset, the preset to files in their order, and files to the command line")
    func precedence() throws {
        try withFiles(["a.toml": "n_layer = 3\nn_head = 2\nbatch_size = 5", "b.toml": "n_head = 8\nbatch_size = 6"]) {
            folder in
            let resolved = try ConfigurationSources(
                files: ["\(folder)/a.toml", "\(folder)/b.toml"],
                options: [("preset", "baby"), ("batch-size", "7"), ("batch_size", "8")]
            ).resolve()
            #expect(resolved.values.weightDecay == 0.1)
            #expect(resolved.origin(of: \.weightDecay) == .builtIn)
            #expect(resolved.values.embeddingSize == 128)
            #expect(resolved.origin(of: \.embeddingSize) == .preset(.baby))
            #expect(resolved.values.layerCount == 3)
            #expect(resolved.origin(of: \.layerCount) == .file(path: "\(folder)/a.toml", line: 1))
            #expect(resolved.values.headCount == 8)
            #expect(resolved.origin(of: \.headCount) == .file(path: "\(folder)/b.toml", line: 1))
            #expect(resolved.values.batchSize == 8)
            #expect(resolved.origin(of: \.batchSize) == .commandLine)
        }
    }

    @Test("A preset that a file names holds, and one on the command line holds before it")
    func presetSources() throws {
        try withFiles(["a.toml": "preset = \"char\"\nn_layer = 2"]) { folder in
            let fromFile = try ConfigurationSources(files: ["\(folder)/a.toml"]).resolve()
            #expect(fromFile.values.preset == .char)
            #expect(fromFile.values.blockSize == 256)
            #expect(fromFile.values.layerCount == 2)
            let overridden = try ConfigurationSources(files: ["\(folder)/a.toml"], options: [("preset", "tiny")])
                .resolve()
            #expect(overridden.values.preset == .tiny)
            #expect(overridden.values.blockSize == 128)
            #expect(overridden.values.layerCount == 2)
        }
    }

    @Test("Unless one is named, the data set chooses the preset")
    func presetForDataset() throws {
        let sources = ConfigurationSources(options: [("dataset", "books"), ("data_dir", "shelf")])
        let resolved = try sources.resolve { dataDir, dataset in
            #expect((dataDir, dataset) == ("shelf", "books"))
            return .gpt2
        }
        #expect(resolved.values.preset == .gpt2)
        #expect(resolved.origin(of: \.preset) == .chosen("suits data set books"))
        #expect(resolved.values.dataset == "books")
        #expect(resolved.values.embeddingSize == 768)
        #expect(!resolved.isExplicit(\.preset))
        #expect(resolved.isExplicit(\.dataset))
    }

    @Test("nanoGPT's own files start from nanoGPT's defaults")
    func pythonFiles() throws {
        try withFiles(["train_gpt2.py": "wandb_log = True\ngradient_accumulation_steps = 5 * 8"]) { folder in
            let resolved = try ConfigurationSources(files: ["\(folder)/train_gpt2.py"]).resolve()
            #expect(resolved.values.preset == .none)
            #expect(resolved.values.dataset == "openwebtext")
            #expect(resolved.values.layerCount == 12)
            #expect(
                resolved.notices == [
                    "wandb_log=true is ignored: see out/report.html, out/metrics.jsonl, or tensorboard --logdir out"
                ]
            )
        }
    }

    private static func evaluationFile(_ model: String) -> String {
        """
        batch_size = 8
        eval_iters = 500 # a mean of many
        eval_only = True
        wandb_log = False
        init_from = '\(model)'
        """
    }

    /// What the two files for characters have in common, after what is their own.
    private static func characterFile(_ own: String) -> String {
        own + """

            eval_interval = 250 # it's short
            log_interval = 10
            always_save_checkpoint = False
            wandb_log = False
            wandb_project = 'shakespeare-char'
            wandb_run_name = 'mini-gpt'
            dataset = 'shakespeare_char'
            gradient_accumulation_steps = 1
            learning_rate = 1e-3
            min_lr = 1e-4
            beta2 = 0.99
            warmup_iters = 100
            # device = 'cuda'
            """
    }

    /// The settings of nanoGPT's files under config/, written out in their form.
    private static let nanoGPTFiles = [
        "finetune_shakespeare.py": """
        import time

        out_dir = 'out-shakespeare'
        eval_interval = 5
        eval_iters = 40
        wandb_log = False # curves aren't sent
        wandb_project = 'shakespeare'
        wandb_run_name = 'ft-' + str(time.time())

        dataset = 'shakespeare'
        init_from = 'gpt2-xl' # 1.5 billion parameters

        always_save_checkpoint = False
        batch_size = 1
        gradient_accumulation_steps = 32
        max_iters = 20

        learning_rate = 3e-5
        decay_lr = False
        """,
        "train_gpt2.py": """
        wandb_log = True
        wandb_project = 'owt'
        wandb_run_name='gpt2-124M'
        batch_size = 12
        block_size = 1024
        gradient_accumulation_steps = 5 * 8
        max_iters = 600000
        lr_decay_iters = 600000
        eval_interval = 1000
        eval_iters = 200
        log_interval = 10
        weight_decay = 1e-1
        """,
        "eval_gpt2.py": evaluationFile("gpt2"), "eval_gpt2_medium.py": evaluationFile("gpt2-medium"),
        "eval_gpt2_large.py": evaluationFile("gpt2-large"), "eval_gpt2_xl.py": evaluationFile("gpt2-xl"),
        "train_shakespeare_char.py": characterFile(
            """
            out_dir = 'out-shakespeare-char'
            eval_iters = 200
            batch_size = 64
            block_size = 256 # the model's context
            n_layer = 6
            n_head = 6
            n_embd = 384
            dropout = 0.2
            max_iters = 5000
            lr_decay_iters = 5000
            """
        ),
        "train_shakespeare_char_cpu.py": characterFile(
            """
            device = 'cpu'
            compile = False
            eval_iters = 20
            batch_size = 12
            block_size = 64
            n_layer = 4
            n_head = 4
            n_embd = 128
            dropout = 0.0
            max_iters = 2000
            lr_decay_iters = 2000
            """
        ),
    ]

    @Test(
        "nanoGPT's presets read as files of their form: each assignment counts",
        arguments: nanoGPTFiles.keys.sorted()
    )
    func nanoGPTFile(name: String) throws {
        try withFiles(Self.nanoGPTFiles) { folder in
            let path = "\(folder)/\(name)"
            let resolved = try ConfigurationSources(files: [path]).resolve()
            let settings = try ConfigurationFile.content(path: path).settings
            for setting in settings {
                var configuration = TrainingConfiguration()
                try setting.key.set(setting.text, in: &configuration)
                #expect(setting.key.argument(in: resolved.values) == setting.key.argument(in: configuration))
            }
            let assignments = Self.nanoGPTFiles[name]!.split(separator: "\n").count {
                $0.contains("=") && !$0.hasPrefix("#")
            }
            #expect(assignments >= 5)
            #expect(settings.count == (name == "finetune_shakespeare.py" ? 13 : assignments))
            switch name {
            case "finetune_shakespeare.py":
                #expect(resolved.notices == ["\(path): passed over line 8 (wandb_run_name)"])
            case "train_gpt2.py": #expect(resolved.notices.count == 1)
            default: #expect(resolved.notices == [])
            }
        }
    }

    @Test(
        "The presets char and baby are nanoGPT's file for characters and its form for a CPU",
        arguments: [("train_shakespeare_char.py", Preset.char), ("train_shakespeare_char_cpu.py", .baby)]
    )
    func nanoGPTPreset(name: String, preset: Preset) throws {
        try withFiles(Self.nanoGPTFiles) { folder in
            var values = try ConfigurationSources(files: ["\(folder)/\(name)"]).resolve().values
            let expected = preset.values
            values.preset = preset
            (values.outDir, values.dataset) = (expected.outDir, expected.dataset)
            values.device = expected.device
            values.compile = expected.compile
            values.wandbProject = expected.wandbProject
            values.wandbRunName = expected.wandbRunName
            #expect(values == expected)
        }
    }

    @Test(
        "Presets have the sizes they promise",
        arguments: [
            (Preset.baby, 65, 0.80e6), (.char, 65, 10.7e6), (.tiny, 65, 1e6), (.small, 65, 10.7e6), (.medium, 65, 31e6),
            (.large, 50304, 124e6), (.gpt2, 50304, 124e6), (.none, 50304, 124e6),
        ]
    )
    func presetSizes(preset: Preset, vocabularySize: Int, parameters: Double) throws {
        let resolved = try ConfigurationSources(options: [("preset", preset.rawValue)]).resolve()
        let count = ParameterLayout(resolved.values.model(vocabularySize: vocabularySize)).count
        #expect(abs(Double(count) - parameters) < 0.03 * parameters, "\(count) parameters")
    }

    @Test("The baby preset is the CPU form of nanoGPT's shakespeare_char")
    func baby() throws {
        let values = try ConfigurationSources().resolve().values
        #expect(values.preset == .baby)
        #expect((values.layerCount, values.headCount, values.embeddingSize) == (4, 4, 128))
        #expect((values.blockSize, values.batchSize, values.gradientAccumulationSteps) == (64, 12, 1))
        #expect((values.maxIters, values.lrDecayIters, values.warmupIters) == (2000, 2000, 100))
        #expect((values.learningRate, values.minLR, values.beta1, values.beta2) == (1e-3, 1e-4, 0.9, 0.99))
        #expect((values.evalInterval, values.evalIters, values.dropout) == (250, 20, 0))
        #expect(!values.alwaysSaveCheckpoint)
        #expect(values.tokensPerIteration == 768)
    }

    @Test("A resumed run keeps its configuration, and what is given anew holds before it")
    func resume() throws {
        let saved = try ConfigurationSources(
            options: [("preset", "tiny"), ("n_head", "2"), ("max_iters", "50"), ("out_dir", "elsewhere")]
        ).resolve()
        try withFiles(["config.toml": saved.toml]) { folder in
            let resumed = try ConfigurationSources(
                options: [("out_dir", folder), ("init_from", "resume"), ("max_iters", "70")]
            ).resolve()
            #expect(resumed.values.outDir == folder)
            #expect(resumed.values.initFrom == "resume")
            #expect(resumed.values.preset == .tiny)
            #expect(resumed.values.headCount == 2)
            #expect(resumed.values.maxIters == 70)
        }
    }

    @Test("An unknown option names the nearest one")
    func unknownOption() {
        #expect(throws: UserError(.usage, "unknown option --learning_rat; did you mean --learning_rate?")) {
            try ConfigurationSources(options: [("learning_rat", "1")]).resolve()
        }
    }

    @Test("Values that contradict each other are refused with what would do", arguments: contradictions)
    func contradiction(typed: String, message: String) {
        let options = typed.split(separator: " ").map { option in
            let parts = option.split(separator: "=")
            return (name: String(parts[0]), value: String(parts[1]))
        }
        #expect(throws: UserError(.usage, message)) { try ConfigurationSources(options: options).resolve() }
    }

    private static let contradictions: [(String, String)] = [
        (
            "n_embd=100 n_head=12",
            "n_embd=100 (command line), n_head=12 (command line): n_head must divide n_embd, as n_head=10 or n_embd=108 would"
        ),
        (
            "n_head=7",
            "n_embd=128 (preset baby), n_head=7 (command line): n_head must divide n_embd, as n_head=4 or n_embd=133 would"
        ),
        (
            "min_lr=0.1",
            "min_lr=0.1 (command line), learning_rate=0.001 (preset baby): min_lr must not be above learning_rate, "
                + "a tenth of it is usual"
        ),
        (
            "batch_size=2000000000",
            "batch_size=2000000000 (command line), block_size=64 (preset baby): an iteration may hold at most "
                + "2147483647 tokens"
        ),
        (
            "n_embd=16000000",
            "n_layer=4 (preset baby), n_embd=16000000 (command line), block_size=64 (preset baby): a model of about "
                + "12288001 billion parameters; at most 1000"
        ),
    ]

    @Test("A notice says what the learning rate does where warm-up or decay do not fit the run", arguments: schedules)
    func schedule(options: String, notice: String?) throws {
        let given = options.split(separator: " ").map { option in
            let parts = option.split(separator: "=")
            return (name: String(parts[0]), value: String(parts[1]))
        }
        #expect(try ConfigurationSources(options: given).resolve().notices == (notice.map { [$0] } ?? []))
    }

    private static let schedules: [(String, String?)] = [
        (
            "max_iters=100",
            "warmup_iters=100 (preset baby) is not below max_iters=100 (command line): the learning rate rises until the end and "
                + "does not reach learning_rate=0.001"
        ),
        (
            "warmup_iters=50 lr_decay_iters=40 max_iters=80",
            "warmup_iters=50 (command line) is not below lr_decay_iters=40 (command line): after the warm-up the learning rate "
                + "drops to min_lr=0.0001 at once"
        ),
        (
            "max_iters=1799",
            "max_iters=1799 (command line) is below lr_decay_iters=2000 (preset baby): the run ends before the learning rate has "
                + "come down to min_lr=0.0001"
        ),
        (
            "max_iters=2001",
            "max_iters=2001 (command line) is above lr_decay_iters=2000 (preset baby): from iteration 2000 on the learning rate "
                + "stays at min_lr=0.0001"
        ),
        ("max_iters=1800", nil), ("max_iters=50 decay_lr=false", nil), ("max_iters=50 eval_only=true", nil),
        ("max_iters=0", nil),
        ("max_iters=500 min_lr=1e-3", nil), ("max_iters=500 lr_decay_iters=500", nil),
        ("max_iters=101 lr_decay_iters=101", nil),
    ]

    @Test("No preset has a schedule that does not fit", arguments: Preset.allCases)
    func presetSchedule(preset: Preset) throws {
        #expect(try ConfigurationSources(options: [("preset", preset.rawValue)]).resolve().notices == [])
    }

    @Test("Without decay, min_lr and the warm-up do not matter, as in nanoGPT's finetune_shakespeare")
    func constantRate() throws {
        let options = [("learning_rate", "3e-5"), ("decay_lr", "False"), ("warmup_iters", "5000")]
        let resolved = try ConfigurationSources(options: options).resolve()
        #expect(resolved.values.learningRate == 3e-5)
    }

    private func withFiles(_ files: [String: String], _ body: (_ folder: String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("ddp-train-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, text) in files {
            try text.write(to: folder.appendingPathComponent(name), atomically: false, encoding: .utf8)
        }
        try body(folder.path)
    }
}
