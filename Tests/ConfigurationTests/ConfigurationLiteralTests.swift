import Testing

@testable import Configuration

@Suite struct ConfigurationLiteralTests {
    @Test(
        "Whole numbers read with separators, exponents and products",
        arguments: [
            ("12", 12), ("-3", -3), ("5_000", 5000), ("600_000", 600_000), ("5 * 8", 40), ("5*8", 40),
            ("2 * 3 * 7", 42),
            ("1e4", 10_000), ("+7", 7), ("12.0", 12),
        ]
    )
    func integers(text: String, value: Int) {
        #expect(ConfigurationLiteral.integer(text) == value)
    }

    @Test(
        "What is no whole number does not read as one",
        arguments: [
            "", "1.5", "1e-3", "five", "5 *", "* 5", "5 ** 2", "_5", "5_", "5__0", "1 2", "0x10", "nan", "--5", "5 + 8",
            "9223372036854775808", "4611686018427387904 * 2", "1e30", "\"5\"", "True",
        ]
    )
    func notIntegers(text: String) {
        #expect(ConfigurationLiteral.integer(text) == nil)
    }

    @Test(
        "Numbers read in every form that Python and TOML share",
        arguments: [
            ("1e-3", 0.001), ("6E-4", 0.0006), ("0.1", 0.1), (".5", 0.5), ("5.", 5), ("3", 3), ("5_000", 5000),
            ("2 * 1e-3", 0.002), ("-0.25", -0.25), ("1_000.5", 1000.5),
        ]
    )
    func numbers(text: String, value: Double) {
        #expect(ConfigurationLiteral.number(text) == value)
    }

    @Test(
        "What is no finite number does not read as one",
        arguments: ["", "nan", "inf", "-inf", "infinity", "1e999", "0x1p3", "1e", "1,5", "1 000", "1e200 * 1e200", "e"]
    )
    func notNumbers(text: String) {
        #expect(ConfigurationLiteral.number(text) == nil)
    }

    @Test("Booleans are Python's or TOML's, and nothing else")
    func booleans() {
        #expect(["true", "True"].map(ConfigurationLiteral.boolean) == [true, true])
        #expect(["false", "False"].map(ConfigurationLiteral.boolean) == [false, false])
        #expect(["1", "yes", "TRUE", ""].map(ConfigurationLiteral.boolean) == [nil, nil, nil, nil])
    }

    @Test("Double quotes escape, single quotes do not")
    func quotes() {
        #expect(ConfigurationLiteral.quoted(#""a\tb\"c\\""#) == "a\tb\"c\\")
        #expect(ConfigurationLiteral.quoted(#"'a\tb"c'"#) == #"a\tb"c"#)
        #expect(ConfigurationLiteral.quoted(#""\u00e9""#) == "é")
    }

    @Test(
        "Text that is not quoted well does not read",
        arguments: ["", "a", "\"", "\"a", "\"a'", "\"a\" b", #""\x""#, #""a\"#, #""\ud800""#, "'it's'"]
    )
    func badQuotes(text: String) {
        #expect(ConfigurationLiteral.quoted(text) == nil)
    }

    @Test(
        "Any text reads back from its quoted form",
        arguments: [
            "", "plain", "it's", "\"", "\\", "a # b", "tab\tline\nreturn\r", "\u{301}accent", "\u{1}\u{7F}", "日本🎭",
        ]
    )
    func quotingRoundTrip(text: String) {
        #expect(ConfigurationLiteral.quoted(ConfigurationLiteral.quote(text)) == text)
    }
}
