import Testing

@testable import Preparation

@Suite("Content kind")
struct ContentKindTests {
    @Test("text with the letters of an archive signature at the signature's offset is text", arguments: [257, 0])
    func textLikeAnArchive(place: Int) throws {
        let word = place == 257 ? "ustard and c" : "BZh1 is how they spelt it, "
        let text = String(repeating: "m", count: place) + word + String(repeating: "x", count: 600)
        #expect(
            try ContentKind(head: Array(text.utf8.prefix(512)), name: "a.txt", treatsTextAsJSONLines: false) == .text
        )
    }
}
