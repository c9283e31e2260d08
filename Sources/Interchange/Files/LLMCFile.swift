import Formats
import Platform
import Transformer

/// A model file of llm.c in float32 or bfloat16. See `LLMCFormat`.
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

    /// - Throws: `UserError(.inputOutput)` if the file cannot be read, `UserError(.data)` if its version is not
    ///   supported or its size does not match its header.
    init(path: String) throws {
        let file = try MappedFile(path: path)
        self.file = file
        guard file.bytes.count >= LLMCFormat.headerBytes else {
            throw UserError(
                .data,
                "\(path) is truncated: it has \(file.bytes.count) bytes, but its header alone has 1024"
            )
        }
        func header(_ index: Int) -> Int {
            Int(Int32(littleEndian: file.bytes.loadUnaligned(fromByteOffset: 4 * index, as: Int32.self)))
        }
        switch Int32(header(1)) {
        case LLMCFormat.float32Version: encoding = .float32
        case LLMCFormat.bfloat16Version: encoding = .bfloat16
        case let version:
            throw UserError(.data, "\(path) has version \(version) of llm.c's model format; only 3 and 5 are supported")
        }
        func size(_ index: Int, _ name: String) throws -> Int {
            guard 1...(1 << 24) ~= header(index) else {
                throw UserError(
                    .data,
                    "\(path): \(name) in its header is \(header(index)), but must be from 1 to \(1 << 24)"
                )
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
                \(path): the \(configuration.embeddingSize) channels in its header \
                are not a multiple of its \(configuration.headCount) heads
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

    /// Returns the shape and the byte offset of each tensor, after checking that the size of the file matches its
    /// header.
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
                """
                \(path) has \(byteCount) bytes, but its header requires \
                \(expected.map { "\($0)" } ?? "more than a file can have")
                """
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
        // The rows after the vocabulary are padding.
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
