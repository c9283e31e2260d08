import Platform

/// A safetensors file, mapped: tensors by name, with every rule of the format checked when it is opened.
///
/// Layout: u64 header length, JSON header, data. The header holds `"name":{"dtype":"F32","shape":[2,3],
/// "data_offsets":[begin,end]}` and, optionally, `__metadata__` of strings to strings. The offsets count from the start of
/// the data and cover it without hole or overlap. Source: https://huggingface.co/docs/safetensors
public struct SafetensorsFile: Sendable {
    /// What the header says of a tensor.
    public struct Entry: Equatable, Sendable {
        /// The format's name of the element type, such as `F32` or `BF16`.
        public let dtype: String
        /// Row-major; empty for a scalar.
        public let shape: [Int]
        /// Where the values lie, in bytes from the start of the file.
        public let byteRange: Range<Int>

        /// The product of the shape; 1 for a scalar.
        public var elementCount: Int { shape.reduce(1, *) }
    }

    /// Header lengths above this are refused, as by the format's own library.
    static let maximumHeaderLength = 100_000_000

    private static let elementSizes = [
        "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "U16": 2, "I16": 2, "F16": 2, "BF16": 2,
        "U32": 4, "I32": 4, "F32": 4, "U64": 8, "I64": 8, "F64": 8,
    ]

    /// The path that it was opened with.
    public let path: String
    /// `__metadata__`; empty where the header has none.
    public let metadata: [String: String]
    /// By name.
    public let tensors: [String: Entry]
    private let file: MappedFile

    /// - Throws: `UserError(.inputOutput)` when the file cannot be read, `UserError(.data)` with path and reason when it is
    ///   not a whole, valid safetensors file.
    public init(path: String) throws {
        self.path = path
        file = try MappedFile(path: path)
        do {
            (metadata, tensors) = try Self.parse(file.bytes)
        } catch let malformed as Malformed {
            throw UserError(.data, "\(path) is not a valid safetensors file: \(malformed.reason)")
        }
    }

    /// Copies a tensor's values, converting from F64, F16 or BF16 where it is stored so.
    ///
    /// - Parameter destination: room for exactly the tensor's elements.
    /// - Throws: `UserError(.data)` when the tensor is missing, has another number of elements, or another element type.
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

    /// The bytes of a tensor, valid while this file is held.
    public func bytes(of entry: Entry) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: file.bytes[entry.byteRange])
    }

    /// How a tensor's floats are stored.
    ///
    /// - Throws: `UserError(.data)` when its elements are no floats, or such as are not read.
    public func encoding(of name: String, _ entry: Entry) throws -> FloatEncoding {
        switch entry.dtype {
        case "F64": .float64
        case "F32": .float32
        case "F16": .float16
        case "BF16": .bfloat16
        default:
            throw UserError(
                .data,
                "\(path): tensor \(name) is \(entry.dtype); F64, F32, F16 and BF16 can be read as floats"
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
            throw Malformed(reason: "a header of \(length) bytes, over the limit of \(maximumHeaderLength)")
        }
        let dataStart = 8 + Int(length)
        guard dataStart <= bytes.count else {
            throw Malformed(reason: "a header of \(length) bytes in a file of \(bytes.count): it was cut short")
        }
        let header: JSONValue
        do {
            header = try JSONValue(parsing: UnsafeRawBufferPointer(rebasing: bytes[8..<dataStart]))
        } catch let error as JSONError {
            throw Malformed(reason: "its header is not JSON: \(error)")
        }
        guard let members = header.objectValue else { throw Malformed(reason: "its header is no JSON object") }

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
        guard let members = value.objectValue else { throw Malformed(reason: "__metadata__ is no JSON object") }
        var metadata: [String: String] = [:]
        for member in members {
            guard let text = member.value.stringValue else {
                throw Malformed(reason: "__metadata__ entry \(member.name) is no string")
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
        else { throw Malformed(reason: "the entry of tensor \(name) is not dtype, shape and two data_offsets") }
        guard let elementSize = elementSizes[dtype] else {
            throw Malformed(reason: "tensor \(name) has the unknown dtype \(dtype)")
        }
        let shape = try shapeValues.map { size in
            guard let size = size.integerValue, size >= 0 else {
                throw Malformed(reason: "the shape of tensor \(name) is not of whole numbers")
            }
            return size
        }
        guard let begin = offsets[0].integerValue, let end = offsets[1].integerValue, begin >= 0, end >= begin,
            end <= Int.max - dataStart
        else { throw Malformed(reason: "tensor \(name) has impossible data_offsets") }
        guard let byteCount = Sizes.product([elementSize] + shape) else {
            throw Malformed(reason: "tensor \(name) of shape \(shape) is too large")
        }
        guard byteCount == end - begin else {
            throw Malformed(
                reason: "tensor \(name), \(dtype) of shape \(shape), takes \(byteCount) bytes, but has \(end - begin)"
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
                        "tensor \(name) ends at byte \(entry.byteRange.upperBound) of \(data.upperBound): it was cut short"
                )
            }
            guard entry.byteRange.lowerBound >= covered else {
                throw Malformed(reason: "tensor \(name) overlaps the one before it")
            }
            guard entry.byteRange.lowerBound == covered else {
                let hole = entry.byteRange.lowerBound - covered
                throw Malformed(reason: "\(hole) bytes before tensor \(name) belong to none")
            }
            covered = entry.byteRange.upperBound
        }
        guard covered == data.upperBound else {
            throw Malformed(reason: "\(data.upperBound - covered) bytes at its end belong to no tensor")
        }
    }
}
