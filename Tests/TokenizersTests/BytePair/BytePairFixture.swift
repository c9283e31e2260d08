import Formats
import Foundation
import Platform
import TestSupport
import Testing

@testable import Tokenizers

/// The files of Tests/Fixtures/bytepair, which make.py in that folder writes, and GPT-2's own files if they exist on
/// this machine.
enum BytePairFixture {
    static let folder = Fixtures.path("bytepair")

    /// A text and its ids according to tiktoken with the small vocabulary.
    struct Case: Decodable, Sendable, CustomTestStringConvertible {
        let text: String
        let ids: [Int32]

        var testDescription: String { "\(text.prefix(20).debugDescription), \(text.utf8.count) bytes" }
    }

    static let cases: [Case] = {
        let data = try! Data(contentsOf: URL(fileURLWithPath: folder + "/cases.json"))
        return try! JSONDecoder().decode([Case].self, from: data)
    }()

    /// A vocabulary of 800 tokens.
    static let small: BytePairTokenizer = {
        try! TokenizerFile.open(folder + "/small.tiktoken") as! BytePairTokenizer
    }()

    /// The folder with GPT-2's vocab.bpe, and the text of tiny shakespeare. Nil if this machine does not have them.
    static let gpt2Folder = shared("gpt2")
    static let shakespeare = shared("tinyshakespeare/input.txt")

    /// Encodes a text in pieces of about `size` bytes, each cut at the place that `lastCut` returns.
    static func encodeInPieces(_ text: [UInt8], of size: Int, with tokenizer: any Tokenizer) throws -> [Int32] {
        var pieces: [Int32] = []
        var (start, wanted) = (0, size)
        while start < text.count {
            let end = min(start + wanted, text.count)
            let cut = text[start..<end].withUnsafeBytes { end == text.count ? $0.count : tokenizer.lastCut(in: $0) }
            pieces += try tokenizer.encode(Array(text[start..<start + cut]))
            start += cut
            wanted = cut == 0 ? wanted * 2 : size
        }
        return pieces
    }

    private static func shared(_ name: String) -> String? {
        let path = Fixtures.path("../../../shared/data/\(name)")
        return FileSystem.kind(of: path) == nil ? nil : path
    }
}

/// Returns a mix of letters, digits, white space, multi-byte scalars and bytes that are not UTF-8. Equal seeds give
/// equal bytes.
func mixedBytes(_ count: Int, seed: UInt64) -> [UInt8] {
    let pieces: [[UInt8]] =
        [
            "the", " ", " of", "'s", "'ll", "'", "\n", "\t ", "12", "é", "界", "👍🏽", "\u{3000}", "\u{A0}", "!?",
            "e\u{301}", "٣",
        ]
        .map { Array($0.utf8) } + [[0xFF], [0xE2, 0x80], [0xC3], [0xF0, 0x9F], [0x80], [0xED, 0xA0, 0x80]]
    var state = seed
    var bytes: [UInt8] = []
    while bytes.count < count {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        bytes += pieces[Int(state >> 33) % pieces.count]
    }
    return bytes
}
