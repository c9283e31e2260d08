import Compute
import Platform
import TestSupport
import Testing

@testable import Tokenizers

@Suite("Byte pairs: training")
struct BytePairTrainerTests {
    private static let path = BytePairFixture.folder + "/text.txt"

    private func train(_ text: String, size: Int) throws -> BytePairVocabulary {
        var trainer = try BytePairTrainer(vocabularySize: size, pool: WorkerPool(threadCount: 1))
        Array(text.utf8).withUnsafeBytes { trainer.add($0) }
        return try trainer.train()
    }

    @Test("the vocabulary equals that of rustbpe for any number of threads", arguments: [1, 3])
    func rustbpe(threads: Int) throws {
        var trainer = try BytePairTrainer(vocabularySize: 800, pool: WorkerPool(threadCount: threads))
        try FileSystem.read(Self.path).withUnsafeBytes { trainer.add($0) }
        #expect(try trainer.train() == BytePairFixture.small.vocabulary)
    }

    @Test("a text in pieces gives the same vocabulary as the whole text")
    func pieces() throws {
        var trainer = try BytePairTrainer(vocabularySize: 800, pool: WorkerPool(threadCount: 2))
        var rest = try FileSystem.read(Self.path)[...]
        while !rest.isEmpty {
            let size = min(5000, rest.count)
            let piece = rest.prefix(size)
            let cut = size == rest.count ? size : piece.withUnsafeBytes { BytePairFixture.small.lastCut(in: $0) }
            piece.prefix(cut).withUnsafeBytes { trainer.add(UnsafeRawBufferPointer(rebasing: $0[...])) }
            rest = rest.dropFirst(cut)
        }
        #expect(try trainer.train() == BytePairFixture.small.vocabulary)
    }

    @Test(
        "the most frequent pair is merged first, the smallest of equally frequent pairs wins, and overlaps are counted"
    )
    func order() throws {
        func merges(_ text: String, size: Int = 300) throws -> [String] { try train(text, size: size).mergeLines }
        #expect(try merges("ab ab ab cd cd", size: 259) == ["a b", "Ġ c"])
        #expect(try merges("zy ab", size: 258) == ["Ġ a"])
        #expect(try merges("aaaaa") == ["a a", "aa a", "aa aaa"])
        let vocabulary = try train("ab", size: 300)
        #expect(vocabulary.tokens.count == 258, "the text has only one pair")
        #expect(vocabulary.endOfText == 257)
    }

    @Test("a vocabulary size out of range and an empty text are refused")
    func refusals() throws {
        for size in [0, 256, 1 << 20 + 1] {
            let error = #expect(throws: UserError.self) { try train("a", size: size) }
            #expect(error?.kind == .usage)
        }
        let error = #expect(throws: UserError.self) { try train("", size: 300) }
        #expect(error?.kind == .data)
    }
}
