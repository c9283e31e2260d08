import Compute
import Formats
import Foundation
import Interchange
import Platform
import TestSupport
import Testing
import Transformer

@testable import Datasets
@testable import Preparation
@testable import Tokenizers

/// Reads damaged files. A reader must return or throw a `UserError`, and never crash. `scripts/check/fuzz.sh` runs these
/// tests with limited memory and time.
///
/// The environment variables `FUZZ_ROUNDS` and `FUZZ_SEED` set the number of rounds per file and the seed.
/// `scripts/check/fuzz.sh` sets both.
@Suite("Fuzzed files")
struct FuzzTests {
    enum Reader: String, CaseIterable, CustomTestStringConvertible {
        case safetensors, index, configuration, stateDictionary, llmc, torch, torchLegacy, torchObjects, pickle,
            pickleObjects,
            tokens, numPyTokens, tokenizerJSON, tiktoken, gzip, tarGzip
        var testDescription: String { rawValue }

        /// Returns the file to damage: a committed file, or one that is made from it.
        func sample() throws -> [UInt8] {
            switch self {
            case .safetensors: return try FileSystem.read(Goldens.transformers + "/model.safetensors")
            case .index: return try FileSystem.read(Goldens.exchange + "/sharded/model.safetensors.index.json")
            case .configuration: return try FileSystem.read(Goldens.transformers + "/config.json")
            case .stateDictionary: return try FileSystem.read(Cases.models + "/hf-bin/pytorch_model.bin")
            case .llmc: return try FileSystem.read(Goldens.exchange + "/model.bin")
            case .torch: return try FileSystem.read(Goldens.exchange + "/ckpt.pt")
            case .torchLegacy: return try FileSystem.read(Cases.models + "/ckpt-legacy-format/ckpt.pt")
            case .torchObjects: return try FileSystem.read(Goldens.fixtures + "/torch/numpy-arguments.pt")
            case .pickleObjects: return try FileSystem.read(Goldens.fixtures + "/pickles/objects-4.pkl")
            case .pickle: return try FileSystem.read(Goldens.fixtures + "/pytorch/dataset/meta.pkl")
            case .tokens:
                let tokens = try FileSystem.read(Goldens.fixtures + "/pytorch/dataset/train.bin")
                let header = [20_240_520, 1, Int32(tokens.count / 2)] + [Int32](repeating: 0, count: 253)
                return header.withUnsafeBytes { Array($0) } + tokens
            case .numPyTokens: return try FileSystem.read(Goldens.fixtures + "/cases/models/data/npy/val.bin")
            case .tiktoken: return try FileSystem.read(Goldens.fixtures + "/bytepair/small.tiktoken")
            case .gzip: return try FileSystem.read(Self.archives + "/text.txt.gz")
            case .tarGzip: return try FileSystem.read(Self.archives + "/flat.tar.gz")
            case .tokenizerJSON:
                let folder = try TemporaryFolder()
                let tokenizer = try TokenizerFile.open(Goldens.fixtures + "/bytepair/small.tiktoken")
                try TokenizerFile.save(tokenizer, folder: folder.path)
                return try FileSystem.read(folder(TokenizerFile.name))
            }
        }

        /// Copies the files that the reader needs in the same folder, and returns the path for the damaged file.
        func target(in folder: TemporaryFolder) throws -> String {
            func copy(_ source: String, _ names: [String]) throws {
                for name in names {
                    try FileManager.default.copyItem(atPath: "\(source)/\(name)", toPath: folder(name))
                }
            }
            switch self {
            case .safetensors:
                try copy(Goldens.transformers, ["config.json"])
                return folder("model.safetensors")
            case .configuration:
                try copy(Goldens.transformers, ["model.safetensors"])
                return folder("config.json")
            case .stateDictionary:
                try copy(Cases.models + "/hf-bin", ["config.json"])
                return folder("pytorch_model.bin")
            case .index:
                let parts = (1...3).map { "model-0000\($0)-of-00003.safetensors" }
                try copy(Goldens.exchange + "/sharded", ["config.json"] + parts)
                return folder("model.safetensors.index.json")
            case .tokenizerJSON: return folder(TokenizerFile.name)
            case .tiktoken: return folder("small.tiktoken")
            case .gzip: return folder("text.txt.gz")
            case .tarGzip: return folder("flat.tar.gz")
            case .llmc, .torch, .torchLegacy, .torchObjects, .pickle, .pickleObjects, .tokens, .numPyTokens:
                return folder("file")
            }
        }

        func read(_ path: String) throws {
            switch self {
            case .safetensors, .index, .configuration, .stateDictionary: try Self.load(FileSystem.folder(of: path))
            case .llmc, .torch, .torchLegacy, .torchObjects: try Self.load(path)
            case .pickle, .pickleObjects: try Self.walk(PickleReader.read(path: path), levels: 4)
            case .tokens, .numPyTokens:
                let file = try TokenFile(path: path)
                _ = file.largestID(in: 0..<file.count)
            case .tokenizerJSON, .tiktoken:
                let tokenizer = try TokenizerFile.open(path)
                _ = tokenizer.decode(try tokenizer.encode("Some text, 123"))
            case .gzip: try Self.checkText(of: path, "text.txt.gz")
            case .tarGzip: try Self.checkText(of: path, "flat.tar.gz")
            }
        }

        /// Reads all properties of a value.
        private static func walk(_ value: PickleValue, levels: Int) throws {
            _ = (value.description, value.stringValue, value.bytesValue, value["n_head"], value.tensorValue)
            guard levels > 0 else { return }
            for element in (value.elements ?? []).prefix(20) { try walk(element, levels: levels - 1) }
            for pair in (value.pairs ?? []).prefix(20) { try walk(pair.value, levels: levels - 1) }
        }

        private static let archives = Goldens.fixtures + "/archives"

        /// Checks the text of a damaged archive that was not refused: it must be the original text, or the bytes of the
        /// file if it is no longer recognized as an archive.
        private static func checkText(of path: String, _ whole: String) throws {
            let text = try text(of: path)
            try #require(try text == self.text(of: "\(archives)/\(whole)") || text == FileSystem.read(path))
        }

        private static func text(of path: String) throws -> [UInt8] {
            let corpus = try Corpus(inputs: [FilePath(path)], format: CorpusFormat(), hasShare: false)
            let reader = corpus.reader { $0.count }
            var text: [UInt8] = []
            while let batch = try reader.next() {
                for piece in batch.pieces { text += batch.bytes[piece.range] }
            }
            return text
        }

        private static func load(_ path: String) throws {
            let source = try PretrainedModel(path: path)
            // A model that passed the checks cannot have many more parameters than the file has bytes.
            try #require(ParameterLayout(source.configuration).count < 100_000)
            let model = GPT(
                configuration: source.configuration,
                context: ComputeContext(pool: WorkerPool(threadCount: 1)),
                forTraining: false
            )
            try source.load(into: model)
        }
    }

    private static let rounds = ProcessInfo.processInfo.environment["FUZZ_ROUNDS"].flatMap { Int($0) } ?? 1000
    private static let seed = ProcessInfo.processInfo.environment["FUZZ_SEED"].flatMap { UInt64($0) } ?? 1

    private static let readers = Reader.allCases.filter {
        DataPreparation.readsArchives || ![.gzip, .tarGzip].contains($0)
    }

    @Test("readers do not crash on damaged files", arguments: readers)
    func survive(reader: Reader) throws {
        let folder = try TemporaryFolder()
        let target = try reader.target(in: folder)
        let sample = try reader.sample()
        var refused = 0
        for round in 0..<Self.rounds {
            let mutation = Mutation(seed: Self.seed, round: UInt64(round))
            try Data(mutation.apply(to: sample)).write(to: URL(fileURLWithPath: target))
            do {
                try reader.read(target)
            } catch let error as UserError {
                refused += 1
                #expect(
                    [.data, .inputOutput, .usage].contains(error.kind) && !error.message.isEmpty,
                    "seed \(Self.seed), round \(round): \(error)"
                )
            }
        }
        #expect(refused > Self.rounds / 20, "only \(refused) of \(Self.rounds) were refused")
    }
}

/// A reproducible way to damage a file, determined by a seed and a round.
struct Mutation {
    private var random: CounterRandom
    private var index: UInt32 = 0

    init(seed: UInt64, round: UInt64) {
        random = CounterRandom(seed: seed &* 1_000_003 &+ round, stream: .test)
    }

    private mutating func number(below bound: Int) -> Int {
        index += 1
        return random.integer(index, below: max(1, bound))
    }

    /// Applies one to five edits. Most of them are near the start, where headers are.
    func apply(to bytes: [UInt8]) -> [UInt8] {
        var copy = self
        var bytes = bytes
        for _ in 0...copy.number(below: 4) { copy.edit(&bytes) }
        return bytes
    }

    private mutating func edit(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return bytes.append(UInt8(number(below: 256))) }
        let reach = [16, 64, 1024, bytes.count][number(below: 4)]
        let place = number(below: min(reach, bytes.count))
        switch number(below: 8) {
        case 0: bytes[place] ^= 1 << UInt8(number(below: 8))
        case 1: bytes[place] = UInt8(number(below: 256))
        case 2: bytes.removeSubrange((bytes.count - min(bytes.count, 1 + number(below: reach)))...)
        case 3: bytes.removeSubrange(place..<min(bytes.count, place + 1 + number(below: 16)))
        case 4: bytes.insert(contentsOf: (0..<1 + number(below: 16)).map { _ in UInt8(number(below: 256)) }, at: place)
        case 5:
            // Writes an extreme value of a length or count.
            let edges: [UInt64] = [0, 1, 0x7F, 0xFF, 0x7FFF_FFFF, 0xFFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF, .max]
            let width = [1, 2, 4, 8][number(below: 4)]
            var value = edges[number(below: edges.count)]
            for offset in 0..<width where place + offset < bytes.count {
                bytes[place + offset] = UInt8(truncatingIfNeeded: value)
                value >>= 8
            }
        case 6:
            // Replaces a digit in a text header with an extreme number.
            guard let digit = bytes[place...].firstIndex(where: { 0x30...0x39 ~= $0 }) else { return }
            let digits = ["9", "99999999", "9223372036854775807", "-1", "1e308", "0"][number(below: 6)]
            bytes.replaceSubrange(digit...digit, with: Array(digits.utf8))
        default:
            // Copies a piece of the file to another place.
            let piece = Array(bytes[place..<min(bytes.count, place + 1 + number(below: 64))])
            bytes.insert(contentsOf: piece, at: number(below: bytes.count))
        }
    }
}
