import Testing

@testable import Preparation

@Suite("JSONL lines")
struct JSONLineTests {
    private func text(_ line: [UInt8], _ field: String = "text") throws -> String {
        var line = line
        let count = try line.withUnsafeMutableBytes { try JSONLine.extract(field, from: $0) }
        return try #require(String(validating: line[..<count], as: UTF8.self))
    }

    private func text(_ line: String, _ field: String = "text") throws -> String {
        try text(Array(line.utf8), field)
    }

    @Test(
        "other members are skipped if Python's json accepts their values",
        arguments: [
            "NaN", "Infinity", "-Infinity", "1e999999", "-0.5E-3", "0", String(repeating: "9", count: 5000), "null",
            "[]",
            "{}", "[1, [2, {\"text\": \"inner\"}], \"a \\\" b\"]", "{\"text\": \"inner\", \"x\": [{}]}", "\"\\ud800\"",
        ]
    )
    func others(value: String) throws {
        for line in ["{\"a\": \(value), \"text\": \"one\"}", " {\"text\" :\"one\" , \"a\":\(value)} \r"] {
            #expect(try text(line) == "one")
        }
    }

    @Test("deeply nested members do not overflow the stack")
    func deep() throws {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let value = String(repeating: open, count: 200_000) + "1" + String(repeating: close, count: 200_000)
            #expect(try text("{\"a\": \(value), \"text\": \"one\"}") == "one")
        }
    }

    @Test("escapes are replaced")
    func escapes() throws {
        #expect(try text(#"{"text": "\"\\\/\b\f\n\r\t\u00e9\u65E5\ud834\udd1e é"}"#) == "\"\\/\u{8}\u{C}\n\r\té日𝄞 é")
        #expect(try text(#"{"te\u0078t": "by an escaped name"}"#) == "by an escaped name")
        #expect(try text(#"{"text": ""}"#) == "")
    }

    @Test("a byte order mark before a line, as in concatenated files, is skipped")
    func mark() throws {
        #expect(try text("\u{FEFF}{\"text\": \"one\"}") == "one")
    }

    @Test("a dot selects a nested member, but the longest name that contains dots takes precedence")
    func dots() throws {
        #expect(try text(#"{"meta": {"text": "one"}}"#, "meta.text") == "one")
        #expect(try text(#"{"meta": {"text": "one"}, "meta.text": "two"}"#, "meta.text") == "two")
        #expect(try text(#"{"meta.text": "two", "meta": {"text": "one"}}"#, "meta.text") == "two")
        #expect(try text(#"{"a": {"b": {"c": "one"}}, "a.b": {"c": "two"}}"#, "a.b.c") == "two")
        #expect(try text(#"{"a": {"b": {"c": "one"}}, "a.b": {"d": "two"}}"#, "a.b.c") == "one")
        #expect(try text(#"{"a": [1], "a.b": {"c": "two"}}"#, "a.b.c") == "two")
        let fault = #expect(throws: JSONLine.Fault.self) { try text(#"{"meta": {"body": "one"}}"#, "meta.text") }
        #expect(fault?.reason.hasPrefix("has no field meta.text, only meta;") == true)
    }

    @Test(
        "a line without a document is refused with the reason and the byte offset",
        arguments: [
            (#"{"text": "one""#, "is not JSON: no ',' or '}' after a member at byte 14"),
            (#"{"text": "one"} {"text": "two"}"#, "is not JSON: more text after the value at byte 16"),
            (#"{"text": "one", "a": [1, 2}"#, "is not JSON: no ',' or ']' after a value at byte 26"),
            (#"{"text": "one", "a": [1,]}"#, "is not JSON: no value at byte 24"),
            (#"{"text": "one", "a": nan}"#, "is not JSON: no value at byte 22"),
            (#"{"text": "one", "a": 01}"#, "is not JSON: no ',' or '}' after a member at byte 22"),
            (#"{"text": "one", "a": -}"#, "is not JSON: no value at byte 21"),
            (#"{"text": "one", 'a': 1}"#, "is not JSON: no member name at byte 16"),
            (#"{"text": "one}"#, "is not JSON: an unterminated string at byte 9"),
            (#"{"text": "\ud834 alone"}"#, "is not JSON: an unpaired surrogate at byte 10"),
            (#"{"text": "\x"}"#, "is not JSON: an unknown escape at byte 10"),
            ("{\"text\": \"a\tb\"}", "is not JSON: a control character in a string at byte 11"),
            (#"{"text": "one", "text": "two"}"#, "has the field text twice"),
            (#"{"text": null}"#, "has a field text that is not a string"),
            (#""text""#, "is not a JSON object"), ("text", "is not JSON: no value at byte 1"),
        ]
    )
    func faults(line: String, reason: String) throws {
        let fault = #expect(throws: JSONLine.Fault.self) { try text(line) }
        #expect(fault?.reason == reason)
    }

    @Test("a text that is not UTF-8 is refused, but other members need not be UTF-8")
    func notUTF8() throws {
        let fault = #expect(throws: JSONLine.Fault.self) {
            try text(Array("{\"text\": \"caf".utf8) + [0xE9] + Array("\"}".utf8))
        }
        #expect(fault?.reason == "is not JSON: a string that is not UTF-8 at byte 13")
        #expect(try text(Array("{\"a\": \"caf".utf8) + [0xE9] + Array("\", \"text\": \"one\"}".utf8)) == "one")
    }
}
