import Formats
import Platform
import Testing

@testable import Tokenizers

@Suite("Byte pairs: encoding")
struct BytePairEncodingTests {
    let tokenizer = BytePairFixture.small

    @Test("ids equal those of tiktoken", arguments: BytePairFixture.cases)
    func tiktoken(_ known: BytePairFixture.Case) throws {
        #expect(try tokenizer.encode(known.text) == known.ids)
        #expect(tokenizer.decode(known.ids) == Array(known.text.utf8))
    }

    @Test("decoding the ids of any bytes returns the same bytes")
    func roundTrip() throws {
        for bytes in [Array(0...255), mixedBytes(20_000, seed: 1), [0xF4, 0x90, 0x80, 0x80], [0x20, 0xFF], [0xC3]]
            as [[UInt8]]
        {
            let ids = try tokenizer.encode(bytes)
            #expect(ids.allSatisfy { $0 >= 0 && $0 < tokenizer.vocabularySize })
            #expect(tokenizer.decode(ids) == bytes)
        }
    }

    @Test("an ill-formed byte is neither a letter nor a number nor a space")
    func illFormed() {
        func pieces(_ bytes: [UInt8]) -> [Int] {
            bytes.withUnsafeBytes { text in
                let scanner = PreTokenScanner(text)
                var ends = [0]
                while ends.last! < text.count { ends.append(scanner.end(from: ends.last!)) }
                return zip(ends, ends.dropFirst()).map { $1 - $0 }
            }
        }
        #expect(pieces(Array("ab".utf8) + [0xFF] + Array("cd".utf8)) == [2, 1, 2])
        #expect(pieces([0x20, 0xC3, 0x21] + Array("1".utf8)) == [3, 1])
        // The first two of the three bytes of an ideographic space.
        #expect(pieces([0x20, 0xE3, 0x80]) == [3])
        #expect(pieces([0x20, 0xE3, 0x80, 0x80]) == [4])
    }

    @Test("pieces of any size that are cut at lastCut have the ids of the whole text")
    func cuts() throws {
        for tokenizer in [BytePairFixture.small, ByteTokenizer()] as [any Tokenizer] {
            let text = mixedBytes(3000, seed: 2)
            let whole = try tokenizer.encode(text)
            for size in [1, 2, 3, 5, 8, 13, 100, 1000] {
                let pieces = try BytePairFixture.encodeInPieces(text, of: size, with: tokenizer)
                #expect(pieces == whole, "pieces of \(size)")
            }
        }
    }

    @Test("the character tokenizer cuts text between scalars")
    func characterCuts() {
        let tokenizer = CharacterTokenizer(scalars: ["a", "é", "界", "🌍"])
        for (text, cut) in [("a", 1), ("é", 2), ("a界", 4), ("🌍", 4)] {
            let bytes = Array(text.utf8)
            #expect(bytes.withUnsafeBytes { tokenizer.lastCut(in: $0) } == cut)
            let last = text.unicodeScalars.last!
            guard bytes.count > 1 else { continue }
            let expected = bytes.count - UTF8.encode(last)!.count
            #expect(bytes.dropLast().withUnsafeBytes { tokenizer.lastCut(in: $0) } == expected, "\(text)")
        }
    }

    /// An algorithm in O(n²), such as a scan of all pairs for each merge, would take minutes.
    @Test("a pre-token of 1 MiB is merged in O(n log n)")
    func longPreTokens() throws {
        let size = 1 << 20
        for text in [
            Array(repeating: UInt8(ascii: "a"), count: size), Array(repeating: UInt8(ascii: " "), count: size),
            Array(repeating: [UInt8(ascii: "t"), UInt8(ascii: "h"), UInt8(ascii: "e")], count: size / 3).flatMap { $0 },
        ] {
            #expect(tokenizer.decode(try tokenizer.encode(text)) == text)
        }
    }

    @Test("long and short pre-tokens are merged in the same way")
    func longAndShort() throws {
        // Pre-tokens of up to 64 bytes are merged by scanning all pairs, longer ones with the heap.
        let piece = "thewordtheirtherethanthesethosewhichwhatwhenwouldcouldpeoplewithu"
        #expect(piece.utf8.count == 65)
        let short = try tokenizer.encode(String(piece.dropLast()))
        let long = try tokenizer.encode(piece)
        #expect(Array(long.prefix(short.count - 2)) == Array(short.dropLast(2)))
        let ids = BytePairFixture.cases.first { $0.text == String(repeating: "the", count: 300) }!.ids
        #expect(try tokenizer.encode(String(repeating: "the", count: 300)) == ids)
    }

    @Test("pre-tokens around every size limit have the ids of the plain merge algorithm")
    func anyLength() throws {
        let letters = Array("thewordtheirtherethanthesethosewhichwhatwhenwouldcouldpeoplewithu".utf8)
        func word(_ length: Int) -> [UInt8] { (0..<length).map { letters[$0 * $0 % letters.count] } }
        // The limits of the cache, of the scan of all pairs, and of the output buffer.
        for limit in [15, 64, 4096] {
            var (text, expected): ([UInt8], [Int32]) = ([], [])
            for length in limit - 2...limit + 2 {
                text += word(length) + Array(".".utf8)
                expected += (limit < 4096 ? mergedPairByPair(word(length)) : mergedAlone(word(length)))
                expected += mergedPairByPair(Array(".".utf8))
            }
            let repeats = limit < 4096 ? 40 : 2
            let ids = try tokenizer.encode(Array(repeatElement(text, count: repeats).joined()))
            #expect(ids == Array(repeatElement(expected, count: repeats).joined()), "about \(limit) bytes")
        }
    }

    private func mergedAlone(_ bytes: [UInt8]) -> [Int32] {
        let vocabulary = tokenizer.vocabulary
        var merger = PairMerger(
            MergeTable(vocabulary.merges, byteTokens: vocabulary.byteTokens),
            byteTokens: vocabulary.byteTokens
        )
        return [Int32](unsafeUninitializedCapacity: bytes.count) { ids, count in
            count = bytes.withUnsafeBytes { merger.merge($0, into: ids.baseAddress!) }
        }
    }

    /// Merges by definition: the leftmost pair of lowest rank, until no pair can be merged.
    private func mergedPairByPair(_ bytes: [UInt8]) -> [Int32] {
        let table = MergeTable(tokenizer.vocabulary.merges, byteTokens: tokenizer.vocabulary.byteTokens)
        var ids = bytes.map { tokenizer.vocabulary.byteTokens[Int($0)] }
        while true {
            let ranks = zip(ids, ids.dropFirst()).map { table.rank($0, $1) }
            guard let best = ranks.min(), best != MergeTable.none else { return ids }
            let place = ranks.firstIndex(of: best)!
            ids.replaceSubrange(place...place + 1, with: [table.result(ofRank: best)])
        }
    }

    @Test("the text of a special token is plain text unless the caller asks for special tokens")
    func specials() throws {
        let text = "the<|endoftext|>of<|endoftext|>"
        let plain = try tokenizer.encode(text)
        #expect(!plain.contains(799))
        var ids: [Int32] = []
        Array(text.utf8).withUnsafeBytes { tokenizer.encode($0, recognizingSpecials: true, into: &ids) }
        #expect(ids == (try tokenizer.encode("the")) + [799] + (try tokenizer.encode("of")) + [799])
        #expect(tokenizer.decode(ids) == Array(text.utf8))
        #expect(tokenizer.endOfText == 799)
        #expect(tokenizer.decode([-1, 800]) == [])
    }

    @Test("several threads can encode at the same time")
    func threads() async throws {
        let texts = (0..<8).map { mixedBytes(30_000, seed: $0) }
        let expected = try texts.map { try BytePairTokenizer(tokenizer.vocabulary).encode($0) }
        let found = try await withThrowingTaskGroup(of: (Int, [Int32]).self) { group in
            for (index, text) in texts.enumerated() {
                group.addTask { [tokenizer] in (index, try tokenizer.encode(text)) }
            }
            return try await group.reduce(into: [Int: [Int32]]()) { $0[$1.0] = $1.1 }
        }
        for (index, ids) in expected.enumerated() { #expect(found[index] == ids) }
    }
}

@Suite("GPT-2's own vocabulary", .enabled(if: BytePairFixture.gpt2Folder != nil))
struct GPT2VocabularyTests {
    let tokenizer: any Tokenizer

    init() throws {
        tokenizer = try TokenizerFile.open(BytePairFixture.gpt2Folder!)
    }

    @Test("the vocabulary has 50257 tokens and the well-known ids of \"Hello, world!\"")
    func knownIDs() throws {
        #expect(tokenizer.vocabularySize == 50257)
        #expect(tokenizer.endOfText == 50256)
        #expect(try tokenizer.encode("Hello, world!") == [15496, 11, 995, 0])
    }

    @Test(
        "tiny shakespeare has nanoGPT's token counts, 301,966 and 36,059, and the ids of tiktoken",
        .enabled(if: BytePairFixture.shakespeare != nil)
    )
    func shakespeare() throws {
        let text = try FileSystem.read(BytePairFixture.shakespeare!)
        let border = Int(Double(text.count) * 0.9)
        let train = try tokenizer.encode(Array(text[..<border]))
        let validation = try tokenizer.encode(Array(text[border...]))
        #expect(train.count == 301_966)
        #expect(validation.count == 36_059)
        let bytes = (train + validation).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
        #expect(
            bytes.withUnsafeBytes { Checksum.sha256(of: $0) }
                == "25c01b32b32f41897a6359dd222ec114992dc30c357bcafbfe6c56672f76cd31"
        )
    }
}
