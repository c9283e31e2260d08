import Platform
import Testing

@testable import Configuration

@Suite struct ConfigurationFileTests {
    @Test("A configuration in the form of nanoGPT's reads as it stands")
    func nanoGPT() throws {
        let resolved = try resolve(
            """
            # characters; a reader's remark
            out_dir = 'out-shakespeare-char'
            eval_interval = 250 # it's short
            always_save_checkpoint = False

            wandb_log = False # or on the command line
            wandb_project = "shakespeare-char"
            gradient_accumulation_steps = 5 * 8
            learning_rate = 1e-3 # a small model's
            max_iters = 5_000
            # device = 'cpu'
            dropout=0.2
            """
        )
        #expect(resolved.values.outDir == "out-shakespeare-char")
        #expect(resolved.values.evalInterval == 250)
        #expect(!resolved.values.alwaysSaveCheckpoint)
        #expect(resolved.values.wandbProject == "shakespeare-char")
        #expect(resolved.values.gradientAccumulationSteps == 40)
        #expect(resolved.values.learningRate == 0.001)
        #expect(resolved.values.maxIters == 5000)
        #expect(resolved.values.dropout == 0.2)
        #expect(resolved.origin(of: \.evalInterval) == .file(path: "test.toml", line: 3))
    }

    @Test("Imports, and wandb names of whatever form, are passed over with one notice")
    func passedOver() throws {
        let content = try ConfigurationFile.content(
            text: """
                import time
                from os import path

                wandb_project = 'shakespeare'
                wandb_run_name = 'ft-' + str(time.time())
                wandb_entity = 'team'
                learning_rate = 3e-5
                """,
            path: "finetune.py"
        )
        #expect(content.settings.map(\.key.name) == ["wandb_project", "learning_rate"])
        #expect(
            content.notice(path: "finetune.py")
                == "finetune.py: passed over lines 1, 2, 5, 6 (imports, and names of wandb runs: see TensorBoard)"
        )
        #expect(try ConfigurationFile.content(text: "bias = true", path: "a").notice(path: "a") == nil)
    }

    @Test("A comment sign in quotes belongs to the text; line endings and a byte order mark do not matter")
    func details() throws {
        let resolved = try resolve("\u{FEFF}out_dir = \"a # b\"  # c\r\n\r\n  dataset = 'it\"s#'\r\nbias=true\r\n")
        #expect(resolved.values.outDir == "a # b")
        #expect(resolved.values.dataset == "it\"s#")
        #expect(resolved.values.bias)
        #expect(resolved.origin(of: \.bias) == .file(path: "test.toml", line: 4))
    }

    @Test(
        "Anything but an assignment of a plain value is an error with file and line",
        arguments: [
            ("time = time.time()", "time = time.time()"), ("import", "import"), ("[model]", "[model]"),
            ("n_layer", "n_layer"),
            ("out_dir = out", "out_dir = out"), ("import time; n_layer = 3", "import time; n_layer"),
            ("wandb_log = 1 +", "wandb_log = 1 +"),
            ("out_dir = 'ft-' + str(time.time())", "out_dir = 'ft-' + str"),
            ("n_layer = [1]", "n_layer = [1]"), ("n layer = 1", "n layer = 1"), ("= 1", "= 1"),
            ("out_dir = \"open", "out_dir = \"open"), ("n_layer = None", "n_layer = None"),
        ]
    )
    func notAssignments(line: String, shown: String) {
        let error = #expect(throws: UserError.self) { try resolve("# first\nbias = true\n\(line)\n") }
        #expect(error?.kind == .usage)
        #expect(error?.message.hasPrefix("test.toml, line 3: \(shown)") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains("is not a plain assignment") == true)
        #expect(error?.message.contains("\n") == false)
    }

    @Test("An unknown key is an error that names the nearest one and the place")
    func unknownKey() {
        #expect(throws: UserError(.usage, "test.toml, line 2: unknown key batchsize; did you mean batch_size?")) {
            try resolve("\nbatchsize = 4")
        }
        #expect(throws: UserError(.usage, "test.toml, line 1: unknown key quite_something_else")) {
            try resolve("quite_something_else = 4")
        }
    }

    @Test("Values in files are checked as on the command line, and text needs its quotes")
    func values() {
        #expect(throws: UserError(.usage, "dropout=2 (test.toml, line 1): must be at least 0 and less than 1")) {
            try resolve("dropout = 2")
        }
        #expect(throws: UserError(.usage, "dataset=5 (test.toml, line 1): must be text in quotes")) {
            try resolve("dataset = 5")
        }
        #expect(throws: UserError(.usage, "n_layer=\"5\" (test.toml, line 1): must be a whole number from 1 to 10000"))
        {
            try resolve("n_layer = \"5\"")
        }
    }

    @Test("A file cannot ask to replace a run")
    func overwrite() {
        #expect(
            throws: UserError(.usage, "test.toml, line 1: overwrite works only on the command line, as --overwrite")
        ) {
            try resolve("overwrite = true")
        }
    }

    @Test("A file that is missing or a folder is named")
    func missing() {
        #expect(throws: UserError(.usage, "configuration file /nowhere/at.toml: does not exist")) {
            try ConfigurationSources(files: ["/nowhere/at.toml"]).resolve()
        }
        #expect(throws: UserError(.usage, "configuration file /: is a folder")) {
            try ConfigurationSources(files: ["/"]).resolve()
        }
    }

    private func resolve(_ text: String) throws -> ResolvedConfiguration {
        var resolved = ResolvedConfiguration(TrainingConfiguration())
        for setting in try ConfigurationFile.content(text: text, path: "test.toml").settings {
            try resolved.apply(setting)
        }
        return resolved
    }
}
