import Platform
import Testing

@testable import Configuration

@Suite struct ConfigurationArithmeticTests {
    /// Assignments with the values that Python 3.11 gives.
    private static let rows: [(source: String, value: String)] = [
        ("n_layer = 7 // 2", "3"),
        ("n_layer = -7 // -2", "3"),
        ("seed = -7 % 5", "3"),
        ("seed = 7 - -7 // 2", "11"),
        ("seed = 10 - 2 - 3", "5"),
        ("seed = 2 ** 3 ** 2", "512"),
        ("seed = 100 - 2 ** 2 * 3", "88"),
        ("seed = 5 + -2 ** 2 + 10", "11"),
        ("learning_rate = 2 ** -10", "0.0009765625"),
        ("learning_rate = 3e-4 * 8 / 64 ** 0.5", "0.0003"),
        ("learning_rate = 0.1 + 0.2 - 0.2", "0.10000000000000003"),
        ("min_lr = 1e-3 % 3e-4", "0.0001000000000000001"),
        ("min_lr = 7.5 // 2 * 1e-5", "3.0000000000000004e-05"),
        ("min_lr = -7.5 % 2 * 1e-5", "5e-06"),
        ("min_lr = 1e-5 * 7 % -2 + 2", "7.00000000000145e-05"),
        ("weight_decay = 1 / 3", "0.3333333333333333"),
        ("warmup_iters = int(2000 * 0.1 + .5)", "200"),
        ("warmup_iters = int(-0.5 + 3)", "2"),
        ("max_iters = round(2.5) + round(3.5)", "6"),
        ("max_iters = max(10, 20, 5) + min(3, 4.0)", "23"),
        ("grad_clip = float('1e-1')", "0.1"),
        ("batch_size = int('12')", "12"),
        ("n_layer = abs(-3) + True", "4"),
        ("out_dir = 'a' \"b\" + f'{1/4}-{2}' + str(1e-5)", "ab0.25-21e-05"),
        ("out_dir = 'lr-' + str(6e-4)", "lr-0.0006"),
        ("out_dir = f'{{x}}-{True}-{1_000}'", "{x}-True-1000"),
        ("out_dir = 'tab\\there'", "tab\there"),
        ("out_dir = r'a\\b'", "a\\b"),
        ("out_dir = '\\x41\\u00e9\\d'", "Aé\\d"),
        ("out_dir = \"it's\"", "it's"),
        ("out_dir = 'say \"no\" # x'", "say \"no\" # x"),
        ("out_dir = '''a'''", "a"),
        ("out_dir = ('runs/'\n  'small')", "runs/small"),
        ("seed = 0b101 + 0o17 + 0xff", "275"),
        ("seed = 0x_ff", "255"),
        ("seed = 1_0 * 1_00", "1000"),
        ("out_dir = str(100.0) + str(1e16) + str(123456789.125) + str(-0.5)", "100.01e+16123456789.125-0.5"),
        (
            "out_dir = str(1e22) + str(1.5e-7) + str(0.0001) + str(9999999999999998.0) + str(12345678901234567.0)",
            "1e+221.5e-070.00019999999999999998.01.2345678901234568e+16"
        ),
        ("out_dir = str(-0.0) + str(-1e-9 // 1e16) + str(1e-9 // -1e300 % 2) + str(-0.0 // -5)", "-0.0-1.01.00.0"),
        ("dropout = 1 - 0.9", "0.09999999999999998"),
        ("seed = (1 + 2) * (3 + (4))", "21"),
        ("beta2 = 1 - 1e-2 * 5", "0.95"),
        ("seed = 7 // 1", "7"),
        ("max_iters = 1e3 // 1", "1000.0"),
        ("max_iters = 5 * 2 ** 3 % 7", "5"),
        ("max_iters = 10 ** 3 // 3 ** 2", "111"),
        ("bias = bool(0)", "false"),
        ("bias = bool('x')", "true"),
        ("out_dir = os.path.join('a/', 'b', '/c', 'd')", "/c/d"),
        ("out_dir = os.path.join('', 'b')", "b"),
        ("seed = 9007199254740993 - 1", "9007199254740992"),
        ("learning_rate = 1.e-2", "0.01"),
        ("seed = 00", "0"),
        ("seed = +5 - - 3", "8"),
        ("out_dir = u'x' 'y'", "xy"),
        ("out_dir = F'{ 1 + 1 }'", "2"),
        ("out_dir = f\"{'a' + 'b'}\"", "ab"),
        ("seed = (-7) // 2 + 10", "6"),
        ("seed = (-7) % 3", "2"),
        ("seed = 7 % -3 + 5", "3"),
        ("weight_decay = (-7.5) // 2 + 5", "1.0"),
        ("weight_decay = 1e308 * 0 + 1", "1.0"),
        ("seed = (-1) ** 101 + 2", "1"),
        ("seed = 0 ** 0", "1"),
        ("seed = int(7.9) + int(True)", "8"),
    ]

    @Test("Values are those of Python", arguments: rows)
    func value(source: String, value: String) throws {
        let settings = try ConfigurationFile.content(text: source, path: "a.py").settings
        let setting = try #require(settings.first)
        var configuration = TrainingConfiguration()
        try setting.key.set(setting.text, in: &configuration)
        let found = setting.key.argument(in: configuration)
        if setting.key.kind == .number || setting.key.kind == .integer {
            #expect(Double(found) == Double(value), "\(found)")
        } else {
            #expect(found == value)
        }
    }

    @Test(
        "What Python refuses, or is not computed here, is refused with the reason",
        arguments: [
            ("seed = 1 // 0", "a division by zero"), ("seed = 1 / 0.0", "a division by zero"),
            ("seed = 0 ** -1", "a division by zero"), ("seed = 2 ** 63", "the result does not fit 64 bits"),
            ("seed = 2 ** 1_000_000_000", "the result does not fit 64 bits"),
            ("seed = 9223372036854775807 + 1", "the result does not fit 64 bits"),
            ("seed = 9223372036854775808", "9223372036854775808 does not fit 64 bits"),
            ("seed = 9007199254740993 / 1", "whole numbers above 2**53 are not divided here"),
            ("learning_rate = (-2) ** 0.5", "the result is not a finite number"),
            ("learning_rate = 1e308 * 10", "the result is not a finite number"),
            ("learning_rate = 1e999", "1e999 is no finite number"), ("learning_rate = 1j", "1j is no number"),
            ("seed = 010", "a whole number does not begin with 0; write 0o before octal digits"),
            ("seed = 0xfg", "0xfg is no number"), ("seed = 1__0", "1__0 is no number"),
            ("seed = 5_", "5_ is no number"),
            ("seed = 1 2", "an operator is missing between two values"), ("seed = 5 *", "a value is missing"),
            ("seed =", "a value is missing"), ("seed = (1", "a bracket opens and does not close"),
            ("seed = 1)", "a bracket closes and does not open"),
            ("seed = 5,", "lists, tuples, dictionaries and their parts"),
            ("seed = 1 if True else 2", "conditions are not evaluated"), ("bias = not True", "not is not evaluated"),
            ("bias = 1 > 0", "> is not evaluated at this place"), ("seed = ~1", "~ is not evaluated at this place"),
            ("seed = 1 | 2", "| is not evaluated at this place"),
            ("seed = int('1e3')", "int() of \"1e3\" is no number"),
            ("seed = int(1e30)", "1e+30 does not fit 64 bits"), ("seed = int(1, 2)", "int() takes one value here"),
            ("seed = len('a')", "len() is not called"), ("seed = os.getpid()", "os.getpid() is not called"),
            ("learning_rate = float('nan')", "float() of \"nan\" is no number"),
            ("seed = other", "other has no value above"),
            ("out_dir = 'a' * 3", "* works between two numbers here"),
            ("out_dir = 'a' + 1", "+ works between two numbers"),
            ("out_dir = 'a'.upper()", ". is not evaluated at this place"), ("out_dir = 'a'[0]", "lists, tuples"),
            ("out_dir = f'{seed}'", "seed has no value above this line"),
            ("out_dir = f'{1.5:.2f}'", "formats such as {x:.2f}"),
            ("out_dir = f'{1!r}'", "formats such as {x:.2f}"), ("out_dir = f'{1'", "a value is missing"),
            ("out_dir = b'a'", "b has no value above"), ("out_dir = '\\x4'", "is no character's number of 2 digits"),
            ("out_dir = '\\101'", "octal and named escapes"), ("out_dir = '\\ud800'", "is no character's number"),
        ]
    )
    func refused(source: String, reason: String) {
        let error = #expect(throws: UserError.self) { try ConfigurationFile.content(text: source, path: "a.py") }
        #expect(error?.kind == .usage)
        #expect(error?.message.hasPrefix("a.py, line 1: \(source): ") == true, "\(error?.message ?? "")")
        #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
    }

    @Test("Text that doubles with each line is refused before it takes much memory", arguments: ["a + a", "f'{a}{a}'"])
    func doubling(expression: String) {
        let lines = ["a = 'text'"] + Array(repeating: "a = \(expression)", count: 60) + ["out_dir = a"]
        let error = #expect(throws: UserError.self) {
            try ConfigurationFile.content(text: lines.joined(separator: "\n"), path: "a.py")
        }
        #expect(error?.message.contains("line 62: out_dir = a: the text is longer than 64 KiB") == true)
    }

    @Test("A name without a known value has the reason of its own line, through others too")
    func unknownValue() {
        let lines = ["import time", "a = time.time()", "b = a + 1", "seed = b"]
        let error = #expect(throws: UserError.self) {
            try ConfigurationFile.content(text: lines.joined(separator: "\n"), path: "a.py")
        }
        #expect(
            error?.message
                == "a.py, line 4: seed = b: time.time() is not called; write the value itself, such as seed = 1337"
        )
    }

    @Test("Deep nesting is refused, not followed", arguments: ["(", "-", "int(", "2 ** "])
    func nesting(part: String) {
        let source =
            "seed = " + String(repeating: part, count: 100_000) + "1"
            + (part.hasSuffix("(") ? String(repeating: ")", count: 100_000) : "")
        let error = #expect(throws: UserError.self) { try ConfigurationFile.content(text: source, path: "a.py") }
        #expect(error?.message.contains("more than 100 levels") == true)
    }
}
