import Formats
import Platform

/// A tensor as it lies in a mapped file; valid while the `ModelFile` is held.
struct StoredTensor {
    let shape: [Int]
    let encoding: FloatEncoding
    /// From the first element in the file to the last.
    let bytes: UnsafeRawBufferPointer
    /// How far apart neighbors along each dimension lie, in elements; nil where the elements are row-major.
    let strides: [Int]?

    /// - Parameter strides: may be those of a row-major tensor.
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

    /// Reads some of its elements, in row-major order.
    ///
    /// - Parameter start: the first one; there are as many from it on as `destination` holds.
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

    /// Reads elements that lie `stride` apart.
    private func decode(at place: Int, stride: Int, into destination: UnsafeMutableBufferPointer<Float>) {
        guard !destination.isEmpty else { return }
        let end = place + (destination.count - 1) * stride + 1
        let piece = UnsafeRawBufferPointer(rebasing: bytes[encoding.size * place..<encoding.size * end])
        encoding.decode(piece, stride: stride, into: destination)
    }

    // MARK: - Comparison

    /// Whether it has the numbers of another tensor of the same shape, however each is stored.
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
        // By equality, for which both zeros are one; a damaged model's NaN equals itself.
        return pieces.allSatisfy { piece in
            zip(values(piece), other.values(piece)).allSatisfy { $0 == $1 || $0.isNaN && $1.isNaN }
        }
    }

    /// Whether all its numbers are 0.
    var isZero: Bool { pieces.allSatisfy { values($0).allSatisfy { $0 == 0 } } }

    /// All elements: a vocabulary is large, and only a piece of it is held.
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
