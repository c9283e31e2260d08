import Formats
import Platform
import Transformer

/// A model file of llm.c, in float32 or bfloat16: see `LLMCFormat`.
struct LLMCFile: ModelFile {
    let configuration: GPTConfiguration
    let descriptionName = "its header"
    let isOutputFirst = true
    private let file: MappedFile
    private let encoding: FloatEncoding
    private let tensors: [String: (shape: [Int], start: Int)]

    static func hasMagic(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count >= 4 && Int32(littleEndian: bytes.loadUnaligned(as: Int32.self)) == LLMCFormat.magic
    }

    /// - Throws: `UserError(.inputOutput)` when the file cannot be read, `UserError(.data)` when it is of another
    ///   version, or its size is not what its header says.
    init(path: String) throws {
        let file = try MappedFile(path: path)
        self.file = file
        guard file.bytes.count >= LLMCFormat.headerBytes else {
            throw UserError(.data, "\(path) was cut short: it has \(file.bytes.count) bytes, its header alone 1024")
        }
        func header(_ index: Int) -> Int {
            Int(Int32(littleEndian: file.bytes.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self)))
        }
        switch Int32(header(1)) {
        case LLMCFormat.float32Version: encoding = .float32
        case LLMCFormat.bfloat16Version: encoding = .bfloat16
        case let version:
            throw UserError(.data, "\(path) is of version \(version) of llm.c's model files: 3 and 5 can be read")
        }
        func size(_ index: Int, _ name: String) throws -> Int {
            guard 1...(1 << 24) ~= header(index) else {
                throw UserError(.data, "\(path): \(name) is \(header(index)) in its header, not from 1 to \(1 << 24)")
            }
            return header(index)
        }
        let configuration = GPTConfiguration(
            layerCount: try size(4, "the number of layers"),
            headCount: try size(5, "the number of heads"),
            embeddingSize: try size(6, "the number of channels"),
            blockSize: try size(2, "the block size"),
            vocabularySize: try size(3, "the vocabulary size"),
            bias: true,
            activation: .gelu_tanh
        )
        guard configuration.embeddingSize % configuration.headCount == 0 else {
            throw UserError(
                .data,
                """
                \(path): \(configuration.embeddingSize) channels of its header \
                are no multiple of its \(configuration.headCount) heads
                """
            )
        }
        let padded = LLMCFormat.paddedVocabularySize(configuration.vocabularySize)
        guard header(7) == padded else {
            throw UserError(.data, "\(path): its padded vocabulary size is \(header(7)), expected \(padded)")
        }
        tensors = try Self.tensors(configuration, encoding: encoding, path: path, byteCount: file.bytes.count)
        self.configuration = configuration
    }

    /// Where each tensor lies, once the size of the file has borne out the header.
    private static func tensors(
        _ configuration: GPTConfiguration,
        encoding: FloatEncoding,
        path: String,
        byteCount: Int
    ) throws -> [String: (shape: [Int], start: Int)] {
        let kinds = LLMCFormat.kinds(configuration)
        var expected: Int? = LLMCFormat.headerBytes
        for kind in kinds {
            let layers = kind.isInEachLayer ? configuration.layerCount : 1
            expected = Sizes.product([layers, encoding.size] + kind.shape).flatMap { size in
                expected.flatMap { $0.addingReportingOverflow(size).overflow ? nil : $0 + size }
            }
        }
        guard expected == byteCount else {
            throw UserError(
                .data,
                "\(path) has \(byteCount) bytes, but by its header \(expected.map { "\($0)" } ?? "more than there can be")"
            )
        }
        var tensors: [String: (shape: [Int], start: Int)] = [:]
        var start = LLMCFormat.headerBytes
        for kind in kinds {
            for layer in 0..<(kind.isInEachLayer ? configuration.layerCount : 1) {
                tensors[LLMCFormat.name(kind, layer: layer)] = (kind.shape, start)
                start += encoding.size * kind.shape.reduce(1, *)
            }
        }
        // The rows above the vocabulary are padding.
        tensors["transformer.wte.weight"]?.shape[0] = configuration.vocabularySize
        return tensors
    }

    var tensorNames: [String] { Array(tensors.keys) }
    func storedName(of name: String) -> String { name }
    func path(ofTensor name: String) -> String { file.path }

    func tensor(named name: String) -> StoredTensor? {
        tensors[name].map { shape, start in
            let end = start + encoding.size * shape.reduce(1, *)
            return StoredTensor(
                shape: shape,
                encoding: encoding,
                bytes: UnsafeRawBufferPointer(rebasing: file.bytes[start..<end])
            )
        }
    }
}
