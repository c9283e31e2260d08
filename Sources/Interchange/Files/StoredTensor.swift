import Formats
import Platform

/// A tensor in a memory-mapped file. It is valid as long as the `ModelFile` exists.
struct StoredTensor {
    let shape: [Int]
    let encoding: FloatEncoding
    /// The bytes from the first to the last element in the file.
    let bytes: UnsafeRawBufferPointer
    /// The stride of each dimension in elements, or nil if the tensor is row-major.
    let strides: [Int]?

    /// - Parameter strides: The stride of each dimension in elements. Nil, and the strides of a row-major tensor, mean
    ///   row-major.
    init(shape: [Int], encoding: FloatEncoding, bytes: UnsafeRawBufferPointer, strides: [Int]? = nil) {
        (self.shape, self.encoding, self.bytes) = (shape, encoding, bytes)
        self.strides = strides.flatMap { Self.isRowMajor(shape, $0) ? nil : $0 }
    }

    var count: Int { shape.reduce(1, *) }

    private static func isRowMajor(_ shape: [Int], _ strides: [Int]) -> Bool {
        if shape.contains(0) { return true }
        var expected = 1
        for (size, stride) in zip(shape, strides).reversed() {
            if size != 1, stride != expected { return false }
            expected *= size
        }
        return true
    }

    /// Reads consecutive elements in row-major order.
    ///
    /// - Parameters:
    ///   - start: The index of the first element. The tensor must have `destination.count` elements from there on.
    ///   - destination: Receives the elements.
    func decode(from start: Int, into destination: UnsafeMutableBufferPointer<Float>) {
        precondition(start >= 0 && destination.count <= count - start)
        guard let strides else { return decode(at: start, stride: 1, into: destination) }
        let (columns, stride) = (shape.last ?? 1, strides.last ?? 1)
        var position = 0
        while position < destination.count {
            var (row, column) = (start + position).quotientAndRemainder(dividingBy: columns)
            let piece = position..<min(destination.count, position + columns - column)
            column *= stride
            for (size, stride) in zip(shape, strides).dropLast().reversed() {
                column += row % size * stride
                row /= size
            }
            decode(at: column, stride: stride, into: UnsafeMutableBufferPointer(rebasing: destination[piece]))
            position = piece.upperBound
        }
    }

    /// Reads elements with a distance of `stride` elements, starting at the element `place` of `bytes`.
    private func decode(at place: Int, stride: Int, into destination: UnsafeMutableBufferPointer<Float>) {
        guard !destination.isEmpty else { return }
        let end = place + (destination.count - 1) * stride + 1
        let piece = UnsafeRawBufferPointer(rebasing: bytes[encoding.size * place..<encoding.size * end])
        encoding.decode(piece, stride: stride, into: destination)
    }

    // MARK: - Comparison

    /// Whether both tensors have equal values, regardless of encoding and strides.
    func hasValues(of other: StoredTensor) -> Bool {
        // PyTorch saves a tied weight once, under two names.
        if encoding == other.encoding, bytes.baseAddress == other.bytes.baseAddress, strides == other.strides {
            return true
        }
        defer {
            MappedFile.release(bytes)
            MappedFile.release(other.bytes)
        }
        guard count == other.count else { return false }
        // 0 equals -0 here. NaN, which damaged models contain, counts as equal to NaN.
        return pieces.allSatisfy { piece in
            zip(values(piece), other.values(piece)).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
        }
    }

    /// Whether all values are 0.
    var isZero: Bool { pieces.allSatisfy { values($0).allSatisfy { $0 == 0 } } }

    /// Ranges that cover all elements. Reading them one by one limits the memory, because a token embedding is large.
    private var pieces: some Sequence<Range<Int>> {
        stride(from: 0, to: count, by: 1 << 16).lazy.map { $0..<min($0 + 1 << 16, count) }
    }

    private func values(_ range: Range<Int>) -> [Float] {
        [Float](unsafeUninitializedCapacity: range.count) { values, count in
            decode(from: range.lowerBound, into: UnsafeMutableBufferPointer(rebasing: values[..<range.count]))
            count = range.count
        }
    }
}
