import Platform
import Testing

@Suite("Paths")
struct FilePathTests {
    private static let latin1: [UInt8] = Array("caf".utf8) + [0xE9] + Array(".txt".utf8)

    @Test("bytes that are not UTF-8 are written in hexadecimal")
    func description() {
        #expect(FilePath("zwölf/a b").description == "zwölf/a b")
        #expect(FilePath(bytes: Self.latin1).description == "caf\\xE9.txt")
        #expect(FilePath(bytes: [0xFF, 0x41, 0xC3]).description == "\\xFFA\\xC3")
        #expect(FilePath(bytes: [0xE6, 0x97, 0x2F]).description == "\\xE6\\x97/")
    }

    @Test(
        "the last part is found by bytes, not by characters",
        arguments: [
            ("a/b", "b"), ("a/b//", "b"), ("b", "b"), ("/", "/"), ("//", "/"), ("/b", "b"), ("", ""),
            ("a/\u{301}b", "\u{301}b"),
        ]
    )
    func lastComponent(path: String, last: String) {
        #expect(Array(FilePath(path).lastComponent.bytes) == Array(last.utf8))
    }

    @Test("canonically equivalent paths are different files with a fixed order")
    func order() {
        let (composed, decomposed): (FilePath, FilePath) = ("\u{E9}", "e\u{301}")
        #expect(composed != decomposed)
        #expect([composed, decomposed].sorted() == [decomposed, composed])
        #expect([FilePath("b"), "a/2", "a.txt", "B"].sorted() == ["B", "a.txt", "a/2", "b"])
        #expect(FilePath("a").appending("b") == "a/b")
        #expect(FilePath("a/").appending("b") == "a/b")
        #expect(FilePath(".a/b").isHidden == false)
        #expect(FilePath("a/.\u{301}b").isHidden)
    }
}
