import Platform

/// A memory-mapped safetensors file. Opening it checks every rule of the format.
///
/// Layout: the header's length (u64), a JSON header, data. The header holds `"name":{"dtype":"F32","shape":[2,3],
/// "data_offsets":[begin,end]}` for each tensor and, optionally, `__metadata__`, which maps strings to strings. Offsets
/// count from the start of the data. The tensors must cover the data without gaps or overlaps. Source:
/// https://huggingface.co/docs/safetensors
public struct SafetensorsFile: Sendable {
    /// A tensor's entry in the header.
    public struct Entry: Equatable, Sendable {
        /// The element type's name in the format, such as `F32` or `BF16`.
        public let dtype: String
        /// The row-major shape; empty for a scalar.
        public let shape: [Int]
        /// The position of the values, in bytes from the start of the file.
        public let byteRange: Range<Int>

        /// The number of elements; 1 for a scalar.
        public var elementCount: Int { shape.reduce(1, *) }
    }

    /// The limit of the header's length in bytes. The format's own library has the same limit.
    static let maximumHeaderLength = 100_000_000

    private static let elementSizes = [
        "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
        "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
    ]

    /// The path that the file was opened with.
    public let path: String
    /// The entries of `__metadata__`; empty if the header has none.
    public let metadata: [String: String]
    /// The tensors' entries by name.
    public let tensors: [String: Entry]
    private let file: MappedFile

    /// Opens a file and checks it.
    ///
    /// - Throws: `UserError(.inputOutput)` if the file cannot be read; `UserError(.data)` with path and reason if it is
    ///   not a complete, valid safetensors file.
    public init(path: String) throws {
        self.path = path
        file = try MappedFile(path: path)
        do {
            (metadata, tensors) = try Self.parse(file.bytes)
        } catch let malformed as Malformed {
            throw UserError(.data, "\(path) is not a valid safetensors file: \(malformed.reason)")
        }
    }

    /// Copies a tensor's values as floats. F64, F16 and BF16 values are converted.
    ///
    /// - Parameters:
    ///   - name: the tensor's name.
    ///   - destination: memory for exactly the tensor's number of elements.
    /// - Throws: `UserError(.data)` if the tensor is missing, has a different number of elements, or has an element
    ///   type that cannot be converted.
    public func floats(named name: String, into destination: UnsafeMutableBufferPointer<Float>) throws {
        guard let entry = tensors[name] else { throw UserError(.data, "\(path) has no tensor named \(name)") }
        guard entry.elementCount == destination.count else {
            throw UserError(
                .data,
                """
                \(path): tensor \(name) has shape \(entry.shape), \(entry.elementCount) elements; \
                expected \(destination.count)
                """
            )
        }
        try encoding(of: name, entry).decode(bytes(of: entry), into: destination)
    }

    /// Returns the bytes of a tensor; valid while this file object exists.
    public func bytes(of entry: Entry) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: file.bytes[entry.byteRange])
    }

    /// Returns the encoding of a tensor's elements. `name` is for error messages.
    ///
    /// - Throws: `UserError(.data)` if the elements are not F64, F32, F16 or BF16.
    public func encoding(of name: String, _ entry: Entry) throws -> FloatEncoding {
        switch entry.dtype {
        case "F64": .float64
        case "F32": .float32
        case "F16": .float16
        case "BF16": .bfloat16
        default:
            throw UserError(
                .data,
                "\(path): tensor \(name) is \(entry.dtype); only F64, F32, F16 and BF16 can be read"
            )
        }
    }

    // MARK: - The header

    private struct Malformed: Error {
        let reason: String
    }

    private static func parse(
        _ bytes: UnsafeRawBufferPointer
    ) throws -> (metadata: [String: String], tensors: [String: Entry]) {
        guard bytes.count >= 8 else { throw Malformed(reason: "it has only \(bytes.count) bytes") }
        let length = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
        guard length <= maximumHeaderLength else {
            throw Malformed(reason: "its header has \(length) bytes, more than the limit of \(maximumHeaderLength)")
        }
        let dataStart = 8 + Int(length)
        guard dataStart <= bytes.count else {
            throw Malformed(
                reason: "its header should have \(length) bytes, but the file has \(bytes.count): it is truncated"
            )
        }
        let header: JSONValue
        do {
            header = try JSONValue(parsing: UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]))
        } catch let error as JSONError {
            throw Malformed(reason: "its header is not JSON: \(error)")
        }
        guard let members = header.objectValue else { throw Malformed(reason: "its header is not a JSON object") }

        var metadata: [String: String] = [:]
        var tensors: [String: Entry] = [:]
        for member in members {
            if member.name == "__metadata__" {
                metadata = try parseMetadata(member.value)
            } else {
                tensors[member.name] = try parseEntry(member.name, member.value, dataStart: dataStart)
            }
        }
        try checkCoverage(tensors, of: dataStart..<bytes.count)
        return (metadata, tensors)
    }

    private static func parseMetadata(_ value: JSONValue) throws -> [String: String] {
        guard let members = value.objectValue else { throw Malformed(reason: "__metadata__ is not a JSON object") }
        var metadata: [String: String] = [:]
        for member in members {
            guard let text = member.value.stringValue else {
                throw Malformed(reason: "__metadata__ entry \(member.name) is not a string")
            }
            metadata[member.name] = text
        }
        return metadata
    }

    private static func parseEntry(_ name: String, _ value: JSONValue, dataStart: Int) throws -> Entry {
        let names = Set((value.objectValue ?? []).map(\.name))
        guard names == ["dtype", "shape", "data_offsets"], let dtype = value["dtype"]?.stringValue,
            let shapeValues = value["shape"]?.arrayValue, let offsets = value["data_offsets"]?.arrayValue,
            offsets.count == 2
        else {
            throw Malformed(reason: "the entry of tensor \(name) does not consist of dtype, shape and two data_offsets")
        }
        guard let elementSize = elementSizes[dtype] else {
            throw Malformed(reason: "tensor \(name) has the unknown dtype \(dtype)")
        }
        let shape = try shapeValues.map { size in
            guard let size = size.integerValue, size >= 0 else {
                throw Malformed(
                    reason: "the shape of tensor \(name) contains something other than integers of at least 0"
                )
            }
            return size
        }
        guard let begin = offsets[0].integerValue, let end = offsets[1].integerValue, begin >= 0, end >= begin,
            end <= Int.max - dataStart
        else { throw Malformed(reason: "tensor \(name) has invalid data_offsets") }
        guard let byteCount = Sizes.product([elementSize] + shape) else {
            throw Malformed(reason: "tensor \(name) of shape \(shape) is too large")
        }
        guard byteCount == end - begin else {
            throw Malformed(
                reason: "tensor \(name), \(dtype) of shape \(shape), needs \(byteCount) bytes, but has \(end - begin)"
            )
        }
        return Entry(dtype: dtype, shape: shape, byteRange: dataStart + begin..<dataStart + end)
    }

    private static func checkCoverage(_ tensors: [String: Entry], of data: Range<Int>) throws {
        var covered = data.lowerBound
        let inOrder = tensors.sorted { first, second in
            let (a, b) = (first.value.byteRange, second.value.byteRange)
            return (a.lowerBound, a.upperBound) < (b.lowerBound, b.upperBound)
        }
        for (name, entry) in inOrder {
            guard entry.byteRange.upperBound <= data.upperBound else {
                throw Malformed(
                    reason:
                        "tensor \(name) ends at byte \(entry.byteRange.upperBound) of \(data.upperBound): truncated file"
                )
            }
            guard entry.byteRange.lowerBound >= covered else {
                throw Malformed(reason: "tensor \(name) overlaps the previous tensor")
            }
            guard entry.byteRange.lowerBound == covered else {
                let gap = entry.byteRange.lowerBound - covered
                throw Malformed(reason: "\(gap) bytes before tensor \(name) belong to no tensor")
            }
            covered = entry.byteRange.upperBound
        }
        guard covered == data.upperBound else {
            throw Malformed(reason: "\(data.upperBound - covered) bytes at its end belong to no tensor")
        }
    }
}
