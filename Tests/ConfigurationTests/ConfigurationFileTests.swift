import Foundation
import Platform
import TestSupport
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

    @Test("What sets no option is passed over, and a notice names it", arguments: harmless)
    func passedOver(text: String, names: [String], notices: [String]) throws {
        let content = try ConfigurationFile.content(text: text, path: "a.py")
        #expect(content.settings.map(\.key.name) == names)
        #expect(content.notices == notices)
    }

    private static let harmless: [(String, [String], [String])] = [
        (
            """
            import time
            from os import path

            wandb_project = 'shakespeare'
            wandb_run_name = 'ft-' + str(time.time())
            wandb_entity = 'team'
            learning_rate = 3e-5
            """,
            ["wandb_project", "learning_rate"],
            ["a.py: passed over line 2 (import), line 5 (wandb_run_name), line 6 (wandb_entity)"]
        ),
        ("bias = true", ["bias"], []),
        (
            "import torch, os; torch.manual_seed(3)\nseed = 3", ["seed"],
            ["a.py: passed over line 1 (torch.manual_seed)"]
        ),
        (
            "import torch\ntorch.backends.cuda.matmul.allow_tf32 = True", [],
            ["a.py: passed over line 2 (torch.backends.cuda.matmul.allow_tf32)"]
        ),
        ("from math import (sqrt as root,\n  pi)", [], ["a.py: passed over line 1 (import)"]),
        ("n_embd = 4\nassert n_embd % 2 == 0, 'odd'", ["n_embd"], ["a.py: passed over line 2 (assert)"]),
        ("print(f'{1}',\n  2)\n'''a\nb'''", [], ["a.py: passed over line 1 (print)"]),
        (
            "width = 4\n_half = width // 2\nn_embd = _half", ["n_embd"],
            ["a.py: no option, and used only inside the file: width (line 1), _half (line 2)"]
        ),
        (
            "import time\nnow = time.time()\nwandb_run_name = f'run-{now:.0f}'", [],
            [
                "a.py: passed over line 3 (wandb_run_name)",
                "a.py: no option, and used only inside the file: now (line 2)",
            ]
        ),
        (
            "tag = 'a'\nprint(f'{tag}')", [],
            ["a.py: passed over line 2 (print)", "a.py: no option, and used only inside the file: tag (line 1)"]
        ),
    ]

    @Test("A comment sign in quotes belongs to the text; line endings and a byte order mark do not matter")
    func details() throws {
        let resolved = try resolve("\u{FEFF}out_dir = \"a # b\"  # c\r\n\r\n  dataset = 'it\"s#'\r\nbias=true\r\n")
        #expect(resolved.values.outDir == "a # b")
        #expect(resolved.values.dataset == "it\"s#")
        #expect(resolved.values.bias)
        #expect(resolved.origin(of: \.bias) == .file(path: "test.toml", line: 4))
    }

    @Test("What could set an option otherwise is refused with file, line and reason", arguments: refusals)
    func refused(line: String, reason: String) {
        let error = #expect(throws: UserError.self) { try resolve("# first\nbias = true\n\(line)\n") }
        #expect(error?.kind == .usage)
        let shown = line.hasSuffix(":") ? line.dropLast() : line[...]
        #expect(error?.message == "test.toml, line 3: \(shown): \(reason)")
    }

    private static let unlisted = "lists, tuples, dictionaries and their parts are not read"
    private static let misplaced = "only an option's name can stand before ="
    private static let unassigned = "nothing is assigned; write key = value"
    private static let unimported = "options are not imported; give that file as an argument before this one"

    private static func character(_ name: String) -> String {
        "the character \(name) has no meaning outside quotes; remove it or type what it looks like"
    }

    private static let refusals: [(String, String)] = [
        ("max_iters = time.time()", "time.time() is not called; write the value itself, such as max_iters = 600000"),
        ("out_dir = out", "out has no value above this line; write the value itself, such as out_dir = \"out\""),
        ("n_layer = [1]", "\(unlisted); write the value itself, such as n_layer = 12"),
        ("out_dir = \"open", "the text that begins with \" does not end"),
        ("import", unassigned), ("n_layer", unassigned), ("n_layer == 4", unassigned), ("5", unassigned),
        ("[model]", "sections and lists are not read; write every option as key = value without them"),
        ("n_layer: 4", "a colon assigns nothing; write n_layer = value"),
        ("n_layer: int", "a colon assigns nothing; write n_layer = value"),
        ("n_layer += 4", "+= changes an earlier value; write the result, as n_layer = value"),
        ("n layer = 1", misplaced), ("= 1", misplaced), ("5 = 1", misplaced), ("config.n_layer = 4", misplaced),
        ("config['n_layer'] = 4", misplaced), ("globals()['n_layer'] = 4", misplaced),
        ("beta1, beta2 = 0.9, 0.95", "write one assignment for each name"),
        ("load()", "load is not run; write the values that it would set"),
        ("import os; os.exec('n_layer = 3')", "os is not run; write the values that it would set"),
        ("from base import *", unimported), ("from base import (a, n_layer)", unimported),
        ("for i in range(3):", "for is not run; write plain assignments"),
        ("def f(): n_layer = 3", "def is not run; write plain assignments"),
        ("print(n_layer := 3)", ":= is not evaluated; write an assignment of its own"),
        ("else: n_layer = 3", "conditions are not evaluated; write the assignments that should hold"),
        ("n_layer\u{200B} = 1", character("U+200B (zero width space)")),
        ("out_dir = \u{201C}out\u{201D}", character("U+201C (left double quotation mark)")),
        ("n_layer = 3 \\ # more", character("U+005C (reverse solidus)")),
        ("learning_rate = 1e\u{2212}3", "1e is no finite number"),
    ]

    @Test("The line of an error is that where its statement begins, or where a character is wrong")
    func lines() {
        for (text, line) in [
            ("'''a\nb'''\nn_layer = (\n[1],\n2)", 3), ("n_layer = (\n1\u{A0})", 2), ("n_layer = 1 + \\\n x", 1),
            ("\r\r\nn_layer = x", 3), ("a = (1,\n2\nn_layer = 3", 1), ("out_dir = 'a'\nout_dir = '''b\n\n", 2),
            ("x = 1\ny = 1\nn_layer = x", 2), ("n_layer = 'a\\\nb\nn_head = 3", 1),
        ] {
            let error = #expect(throws: UserError.self) { try resolve(text) }
            #expect(error?.message.hasPrefix("test.toml, line \(line): ") == true, "\(error?.message ?? "")")
        }
    }

    @Test("TOML's forms read as TOML says: no escapes in single quotes, and names with dashes")
    func toml() throws {
        let resolved = try resolve(
            "out-dir = 'a\\n'\ndataset = \"\"\"\nb\"\"\"\ndata_dir = \"a\\u00e9\"\nmax-iters = lr-decay-iters = 3\n"
        )
        #expect(resolved.values.outDir == "a\\n")
        #expect(resolved.values.dataset == "b")
        #expect(resolved.values.dataDir == "aé")
        #expect((resolved.values.maxIters, resolved.values.lrDecayIters) == (3, 3))
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
        for literal in ["\"5 layers\"", "true", "None", "5.5"] {
            #expect(
                throws: UserError(
                    .usage,
                    "n_layer=\(literal) (test.toml, line 1): must be a whole number from 1 to 10000"
                )
            ) { try resolve("n_layer = \(literal)") }
        }
        for literal in ["2", "0.0", "None", "\"no\""] {
            #expect(throws: UserError(.usage, "bias=\(literal) (test.toml, line 1): must be true or false")) {
                try resolve("bias = \(literal)")
            }
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

    @Test("Quotes around numbers and booleans do not matter, and 0 and 1 are booleans, in files only")
    func leniency() throws {
        let resolved = try resolve(
            "n_layer = '5'\nlearning_rate = \"1e-2\"\nbias = 1\ndecay_lr = 'False'\ninterface = None"
        )
        #expect((resolved.values.layerCount, resolved.values.learningRate) == (5, 0.01))
        #expect((resolved.values.bias, resolved.values.decayLR) == (true, false))
        #expect(resolved.values.interface.isEmpty)
        #expect(throws: UserError(.usage, "bias=1 (command line): must be true or false")) {
            try ConfigurationSources(options: [("bias", "1")]).resolve()
        }
    }

    @Test("A file of more than 1 MiB is none")
    func large() throws {
        let folder = try TemporaryFolder()
        try Data(repeating: 0x23, count: 1 << 20 + 1).write(to: URL(fileURLWithPath: folder("large")))
        let error = #expect(throws: UserError.self) { try ConfigurationFile.content(path: folder("large")) }
        #expect(error?.kind == .usage)
        #expect(error?.message.contains("not UTF-8 text of at most 1 MiB") == true)
    }

    private func resolve(_ text: String) throws -> ResolvedConfiguration {
        var resolved = ResolvedConfiguration(TrainingConfiguration())
        for setting in try ConfigurationFile.content(text: text, path: "test.toml").settings {
            try resolved.apply(setting)
        }
        return resolved
    }
}
