import Compute
import Platform
import Preparation
import TestSupport
import Testing

@testable import Datasets

@Suite("Data for a model with a smaller vocabulary")
struct DatasetVocabularyTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        try FileSystem.createFolder(folder("bare"))
        for name in ["train.bin", "val.bin"] {
            try AtomicFile.write([3, 0, 9, 0, 0, 1], to: folder("bare/\(name)"))
        }
    }

    @Test("Without a tokenizer, the vocabulary is nanoGPT's padded one and can be reduced to the model's")
    func withoutTokenizer() throws {
        let dataset = try Dataset.open(folder: folder.path, name: "bare")
        #expect(dataset.vocabularySize == 50304)
        #expect(try dataset.limited(toVocabulary: 60000).vocabularySize == 50304)
        let limited = try dataset.limited(toVocabulary: 257)
        #expect(limited.vocabularySize == 257 && limited.train.vocabularySize == 257)
        #expect(limited.fingerprint == dataset.fingerprint)
        let smaller = try dataset.limited(toVocabulary: 256)
        let error = #expect(throws: UserError.self) { try TokenCheck(smaller, pool: WorkerPool(threadCount: 1)) }
        #expect(error?.kind == .data)
        #expect(error?.message.contains("token 2 has the id 256, beyond the model's vocabulary of 256") == true)
    }

    @Test("A dataset whose tokenizer has more tokens than the model is refused")
    func withTokenizer() throws {
        _ = try DataPreparation.run(
            PreparationRequest(source: .demo(seed: 1, characters: 5000), name: "demo", dataFolder: folder.path)
        )
        let dataset = try Dataset.open(folder: folder.path, name: "demo")
        let error = #expect(throws: UserError.self) { try dataset.limited(toVocabulary: dataset.vocabularySize - 1) }
        #expect(error?.kind == .usage)
    }
}
