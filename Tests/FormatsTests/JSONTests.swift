import Formats
import Testing

@Suite("JSON")
struct JSONTests {
    @Test("a document keeps the order of its members and is written back unchanged")
    func roundTrip() throws {
        let text = #"{"z":[1,-2,0.5,1e+20,true,false,null],"a":{"quote \" back \\ line \n tab \t":"é😀"},"e":[],"o":{}}"#
        let value = try JSONValue(parsing: Array(text.utf8))
        #expect(value["z"]?.arrayValue?.prefix(3) == [.integer(1), .integer(-2), .number(0.5)])
        #expect(value.objectValue?.map(\.name) == ["z", "a", "e", "o"])
        #expect(value.text() == text)
        #expect(try JSONValue(parsing: Array(value.text(pretty: true).utf8)) == value)
    }

    @Test("an object can be written with one line per member")
    func linePerMember() throws {
        let value = JSONValue.object([
            .init("a", .array([.integer(1), .string("x")])),
            .init("b", .object([.init("c", .bool(true)), .init("d", .number(1e-5))])),
            .init("e", .array([])),
        ])
        #expect(
            value.textWithLinePerMember() == """
                {
                  "a": [1, "x"],
                  "b": {"c": true, "d": 1e-05},
                  "e": []
                }

                """
        )
        #expect(try JSONValue(parsing: Array(value.textWithLinePerMember().utf8)) == value)
    }

    @Test("escapes and surrogate pairs are decoded")
    func escapes() throws {
        let value = try JSONValue(parsing: Array(#""\u00e9\ud83d\ude00\/\b\f\r""#.utf8))
        #expect(value == .string("é😀/\u{8}\u{C}\r"))
    }

    @Test(
        "text that is not JSON is refused with the reason and the byte offset",
        arguments: [
            ("", "expected a value, but the text ends", 0), ("{\"a\":1,\"a\":2}", "duplicate name \"a\"", 7),
            ("[1,]", "expected a value", 3), ("01", "unexpected text after the value", 1),
            ("1.", "expected a digit after '.'", 2),
            ("[1 2]", "expected ',' or ']' after an element", 3), ("\"a", "unterminated string", 1),
            ("nul", "expected a value", 3),
            ("{\"a\" 1}", "expected ':' after a name", 5), ("{a:1}", "expected a member name", 1),
            ("1e999", "number out of range", 0),
            ("\"\u{1}\"", "control character in a string", 1), (#""\ud800""#, "unpaired surrogate", 1),
            (#""\q""#, "unknown escape", 1), (#""\u12g4""#, "expected four hexadecimal digits after \\u", 3),
            (String(repeating: "[", count: 100), "more than 64 levels of nesting", 64),
        ]
    )
    func refused(text: String, reason: String, offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
        #expect(error?.reason == reason)
        #expect(error?.offset == offset)
    }

    @Test("canonically equivalent names with different scalars are different names")
    func canonicallyEqualNames() throws {
        let value = try JSONValue(parsing: Array("{\"\u{3A9}\":0,\"\u{2126}\":1}".utf8))
        #expect(value.objectValue?.map { Array($0.name.unicodeScalars) } == [["\u{3A9}"], ["\u{2126}"]])
    }

    @Test("a string that is not UTF-8 is refused")
    func invalidUTF8() {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0x61, 0xFF, 0x22]) }
        #expect(error?.reason == "string is not valid UTF-8")
    }
}
