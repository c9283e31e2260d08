import Formats
import Testing

@Suite("JSON")
struct JSONTests {
    @Test("a document is read with the order of its members, and written back the same")
    func roundTrip() throws {
        let text = #"{"z":[1,-2,0.5,1e+20,true,false,null],"a":{"quote \" back \\ line \n tab \t":"é😀"},"e":[],"o":{}}"#
        let value = try JSONValue(parsing: Array(text.utf8))
        #expect(value["z"]?.arrayValue?.prefix(3) == [.integer(1), .integer(-2), .number(0.5)])
        #expect(value.objectValue?.map(\.name) == ["z", "a", "e", "o"])
        #expect(value.text() == text)
        #expect(try JSONValue(parsing: Array(value.text(pretty: true).utf8)) == value)
    }

    @Test("an object can have a line per member, whatever the members hold")
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
        "what is not JSON is refused with the reason and the byte",
        arguments: [
            ("", "the text ends where a value should be", 0), ("{\"a\":1,\"a\":2}", "the name \"a\" a second time", 7),
            ("[1,]", "no value", 3), ("01", "more text after the value", 1), ("1.", "no digit after '.'", 2),
            ("[1 2]", "no ',' or ']' after an element", 3), ("\"a", "a string without end", 1), ("nul", "no value", 3),
            ("{\"a\" 1}", "no ':' after a name", 5), ("{a:1}", "no name of a member", 1),
            ("1e999", "a number out of range", 0),
            ("\"\u{1}\"", "a control character in a string", 1), (#""\ud800""#, "half a surrogate pair", 1),
            (#""\q""#, "an unknown escape", 1), (#""\u12g4""#, "no four hexadecimal digits after \\u", 3),
            (String(repeating: "[", count: 100), "more than 64 levels", 64),
        ]
    )
    func refused(text: String, reason: String, offset: Int) {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
        #expect(error?.reason == reason)
        #expect(error?.offset == offset)
    }

    @Test("names that differ only in their scalars are different names")
    func canonicallyEqualNames() throws {
        let value = try JSONValue(parsing: Array("{\"\u{3A9}\":0,\"\u{2126}\":1}".utf8))
        #expect(value.objectValue?.map { Array($0.name.unicodeScalars) } == [["\u{3A9}"], ["\u{2126}"]])
    }

    @Test("a string that is not UTF-8 is refused")
    func invalidUTF8() {
        let error = #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0x61, 0xFF, 0x22]) }
        #expect(error?.reason == "a string that is not UTF-8")
    }
}
