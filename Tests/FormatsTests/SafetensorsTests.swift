import Formats
import Platform
import TestSupport
import Testing

@Suite("Safetensors")
struct SafetensorsTests {
    let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// Writes a file with this header and this data, and returns its path.
    private func write(header: String, data: [UInt8]) throws -> String {
        let path = folder("x.safetensors")
        let length = UInt64(header.utf8.count)
        let field = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
        try AtomicFile.write(field + Array(header.utf8) + data, to: path)
        return path
    }

    private func floats(_ file: SafetensorsFile, _ name: String, count: Int) throws -> [Float] {
        var values = [Float](repeating: .nan, count: count)
        try values.withUnsafeMutableBufferPointer { try file.floats(named: name, into: $0) }
        return values
    }

    @Test("metadata, shapes and values survive a round trip, and the data starts at a multiple of 8")
    func roundTrip() throws {
        let weight: [Float] = [1, -2, 3.5, .infinity, .leastNonzeroMagnitude, -0.0]
        let bias: [Float] = [0.25]
        let path = folder("model.safetensors")
        _ = try weight.withUnsafeBufferPointer { weight in
            try bias.withUnsafeBufferPointer { bias in
                try SafetensorsWriter.write(
                    path: path,
                    metadata: ["format": "pt", "step": "7"],
                    tensors: [
                        ("b.weight", [2, 3], weight), ("a.bias", [1], bias),
                        ("empty", [0, 4], .init(rebasing: bias[0..<0])),
                    ]
                )
            }
        }
        let file = try SafetensorsFile(path: path)
        #expect(file.metadata == ["format": "pt", "step": "7"])
        #expect(Set(file.tensors.keys) == ["b.weight", "a.bias", "empty"])
        let entry = try #require(file.tensors["b.weight"])
        #expect(entry.dtype == "F32")
        #expect(entry.shape == [2, 3])
        #expect(entry.byteRange.lowerBound % 8 == 0)
        #expect(try floats(file, "b.weight", count: 6).map(\.bitPattern) == weight.map(\.bitPattern))
        #expect(try floats(file, "a.bias", count: 1) == bias)
        #expect(try floats(file, "empty", count: 0) == [])
    }

    @Test("float16 and bfloat16 values are converted exactly")
    func halfPrecision() throws {
        // 1, -2, the smallest subnormal 2^-24, the largest subnormal 1023 * 2^-24, the largest number 65504, infinity
        // and -0; then bfloat16 1.5 and -3.
        let bits: [UInt16] = [0x3C00, 0xC000, 0x0001, 0x03FF, 0x7BFF, 0x7C00, 0x8000, 0x3FC0, 0xC040]
        let path = try write(
            header:
                #"{"h":{"dtype":"F16","shape":[7],"data_offsets":[0,14]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[14,18]}}"#,
            data: bits.flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }
        )
        let file = try SafetensorsFile(path: path)
        let expected: [Float] = [1, -2, 0x1p-24, 1023 * 0x1p-24, 65504, .infinity, -0.0]
        #expect(try floats(file, "h", count: 7).map(\.bitPattern) == expected.map(\.bitPattern))
        #expect(try floats(file, "b", count: 2) == [1.5, -3])
    }

    @Test("a float64 is rounded to the nearest float32")
    func doubles() throws {
        let path = try write(
            header: #"{"d":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}"#,
            data: [-1.5, 1 / 3].flatMap { value in withUnsafeBytes(of: value.bitPattern.littleEndian) { Array($0) } }
        )
        #expect(try floats(SafetensorsFile(path: path), "d", count: 2) == [-1.5, 1 / 3])
    }

    @Test("a missing tensor, a wrong size and a wrong type are data errors")
    func wrongTensor() throws {
        let path = try write(
            header: #"{"i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#,
            data: .init(repeating: 0, count: 8)
        )
        let file = try SafetensorsFile(path: path)
        #expect(throws: UserError(.data, "\(path) has no tensor named x")) { try floats(file, "x", count: 1) }
        #expect(throws: UserError(.data, "\(path): tensor i has shape [1], 1 elements; expected 2")) {
            try floats(file, "i", count: 2)
        }
        #expect(throws: UserError(.data, "\(path): tensor i is I64; only F64, F32, F16 and BF16 can be read")) {
            try floats(file, "i", count: 1)
        }
    }

    @Test(
        "a malformed header is refused with the reason",
        arguments: [
            (
                #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8,
                "4 bytes before tensor a belong to no tensor"
            ),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 8, "4 bytes at its end belong to no tensor"),
            (
                #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4,
                "tensor a, F32 of shape [2], needs 8 bytes, but has 4"
            ),
            (#"{"a":{"dtype":"F8","shape":[2],"data_offsets":[0,2]}}"#, 2, "tensor a has the unknown dtype F8"),
            (
                #"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4,
                "the shape of tensor a contains something other than integers of at least 0"
            ),
            (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "tensor a has invalid data_offsets"),
            (
                #"{"a":{"dtype":"F32","shape":[1]}}"#, 4,
                "the entry of tensor a does not consist of dtype, shape and two data_offsets"
            ),
            (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, 4, "is too large"),
            (#"{"__metadata__":{"n":1}}"#, 0, "__metadata__ entry n is not a string"),
            ("[]", 0, "its header is not a JSON object"), ("{", 0, "its header is not JSON"),
            (
                #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
                8, "tensor b overlaps the previous tensor"
            ),
            (
                #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
                8, "duplicate name \"a\""
            ),
        ]
    )
    func malformed(header: String, dataBytes: Int, reason: String) throws {
        let path = try write(header: header, data: .init(repeating: 0, count: dataBytes))
        let error = try #require(throws: UserError.self) { try SafetensorsFile(path: path) }
        #expect(error.kind == .data)
        #expect(error.message.hasPrefix("\(path) is not a valid safetensors file: "))
        #expect(error.message.contains(reason))
    }

    @Test("a truncated file is refused, wherever it ends", arguments: [0, 7, 8, 30, 67])
    func cutShort(length: Int) throws {
        let path = try write(
            header: #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}  "#,
            data: .init(repeating: 0, count: 8)
        )
        let whole = try FileSystem.read(path)
        try AtomicFile.write(Array(whole[..<length]), to: path)
        let error = #expect(throws: UserError.self) { try SafetensorsFile(path: path) }
        #expect(error?.kind == .data)
    }

    @Test("a header length beyond the limit is refused without reading it")
    func hugeHeader() throws {
        let path = folder("x")
        try AtomicFile.write([UInt8](repeating: 255, count: 16), to: path)
        let error = #expect(throws: UserError.self) { try SafetensorsFile(path: path) }
        #expect(error?.message.contains("more than the limit of 100000000") == true)
    }
}
