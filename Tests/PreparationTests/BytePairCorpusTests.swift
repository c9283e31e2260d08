import Compute
import Platform
import Preparation
import TestSupport
import Testing
import Tokenizers

@Suite("Byte pairs of a corpus")
struct BytePairCorpusTests {
    @Test("training on files gives the vocabulary of their text for any number of threads", arguments: [1, 3])
    func files(threads: Int) throws {
        let path = Fixtures.path("bytepair/text.txt")
        var trainer = try BytePairTrainer(vocabularySize: 800, pool: WorkerPool(threadCount: threads))
        try trainer.add(inputs: [FilePath(path)])
        var expected = try BytePairTrainer(vocabularySize: 800, pool: WorkerPool(threadCount: 1))
        try FileSystem.read(path).withUnsafeBytes { expected.add($0) }
        #expect(trainer.byteCount == expected.byteCount)
        #expect(try trainer.train() == expected.train())
    }

    @Test("a missing file is an input error")
    func missing() throws {
        var trainer = try BytePairTrainer(vocabularySize: 300, pool: WorkerPool(threadCount: 1))
        let error = #expect(throws: UserError.self) { try trainer.add(inputs: ["/nothing/here"]) }
        #expect(error?.kind == .inputOutput)
    }
}
