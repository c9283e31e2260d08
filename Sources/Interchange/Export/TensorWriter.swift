import Formats
import Transformer

/// Writes the tensors of a model to a file, one after the other, in the form of another tool.
struct TensorWriter {
    let file: AtomicFile
    /// `float32`, or `bfloat16`, to which numbers are rounded.
    let encoding: FloatEncoding

    /// The matrix of a linear layer, (in, out) here, as (out, in); any other tensor as it is.
    func write(_ tensor: SafetensorsWriter.Tensor, isLinearWeight: Bool) throws {
        guard isLinearWeight else { return try write(tensor.values) }
        try MatrixTransposition.read(tensor.values, rows: tensor.shape[0], columns: tensor.shape[1]) { try write($0) }
    }

    func write(_ values: UnsafeBufferPointer<Float>) throws {
        switch encoding {
        case .float32: try file.append(UnsafeRawBufferPointer(values))
        case .bfloat16:
            for start in stride(from: 0, to: values.count, by: 1 << 20) {
                let piece = values[start..<min(start + 1 << 20, values.count)]
                try piece.map { FloatEncoding.bfloat16Bits(of: $0).littleEndian }.withUnsafeBytes {
                    try file.append($0)
                }
            }
        case .float16: preconditionFailure("no tool here takes float16")
        }
    }

    /// Zeros in the file's own encoding.
    func writeZeros(_ count: Int) throws {
        try [UInt8](repeating: 0, count: count * encoding.size).withUnsafeBytes { try file.append($0) }
    }
}

/// What the formats here can say of a model.
enum ExportRules {
    /// - Throws: `UserError(.usage)` when the model is no GPT-2, which no other tool could compute.
    static func checkVariants(_ configuration: GPTConfiguration, format: String, allowingUntiedHead: Bool = false)
        throws
    {
        let changes = configuration.variants.otherModel.filter { !(allowingUntiedHead && $0.name == "tied_head") }
        guard !changes.isEmpty else { return }
        let list = changes.map { "\($0.name)=\($0.value)" }.joined(separator: ", ")
        throw UserError(.usage, "\(format) describes a GPT-2, and this model has \(list): such a model stays here")
    }

    /// Both llm.c and GGUF's gpt2 compute the tanh form of GELU, whatever a model was trained with.
    ///
    /// - Throws: `UserError(.usage)` when the model has another.
    static func checkActivation(_ configuration: GPTConfiguration, format: String) throws {
        guard configuration.activation != .gelu_tanh else { return }
        throw UserError(
            .usage,
            """
            \(format) always computes the tanh GELU, and this model has activation=\(configuration.activation.rawValue): train with \
            --activation=gelu_tanh, or export with --format=hf
            """
        )
    }
}
