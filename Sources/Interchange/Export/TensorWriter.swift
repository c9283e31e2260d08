import Formats
import Platform

/// Writes the tensors of a model to a file, one after the other, in the format of another tool.
struct TensorWriter {
    let file: AtomicFile
    /// `float32` or `bfloat16`. For `bfloat16`, values are rounded.
    let encoding: FloatEncoding

    /// Writes a tensor. The weight of a linear layer is transposed from (in, out) to (out, in).
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
        case .float64, .float16: preconditionFailure("no export format supports \(encoding)")
        }
    }

    /// Writes `count` zeros in the encoding of the file.
    func writeZeros(_ count: Int) throws {
        try [UInt8](repeating: 0, count: count * encoding.size).withUnsafeBytes { try file.append($0) }
    }
}
