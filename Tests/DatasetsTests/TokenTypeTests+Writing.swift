import Compute
import Foundation
import Platform
import TestSupport
import Testing

@testable import Datasets

/// Writes token files of all types and checks the tokens that are read from them.
extension TokenTypeTests {
    func bytes<Element: FixedWidthInteger>(_ ids: [Int], _: Element.Type, bigEndian: Bool = false) -> [UInt8] {
        ids.flatMap { id in
            let element = Element(truncatingIfNeeded: id)
            return withUnsafeBytes(of: bigEndian ? element.bigEndian : element.littleEndian) { Array($0) }
        }
    }

    /// The bytes of ids in an array of a type, such as "big-endian uint32" or "float64".
    func bytes(_ ids: [Int], named type: String) -> [UInt8] {
        let isBigEndian = type.hasPrefix("big-endian ")
        return switch type.drop(while: { !$0.isNumber }) {
        case "8": bytes(ids, UInt8.self)
        case "16": bytes(ids, UInt16.self, bigEndian: isBigEndian)
        case "32" where type == "float32": bytes(ids.map { Int(Float($0).bitPattern) }, UInt32.self)
        case "32": bytes(ids, UInt32.self, bigEndian: isBigEndian)
        case _ where type == "float64":
            bytes(ids.map { Int(truncatingIfNeeded: Double($0).bitPattern) }, UInt64.self)
        default: bytes(ids, UInt64.self, bigEndian: isBigEndian)
        }
    }

    /// The bytes of an NPY file as numpy.save writes it.
    func npy(_ data: [UInt8], _ header: String, version: UInt8 = 1) -> [UInt8] {
        let start = version == 1 ? 10 : 12
        let padding = 63 - (start + header.utf8.count) % 64
        let text = Array(header.utf8) + Array(repeating: UInt8(ascii: " "), count: padding) + [UInt8(ascii: "\n")]
        let length = (0..<(start - 8)).map { UInt8(text.count >> (8 * $0) & 0xFF) }
        return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + text + data
    }

    func npy(_ data: [UInt8], type: String, count: Int, version: UInt8 = 1) -> [UInt8] {
        npy(data, "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(count),), }", version: version)
    }

    func write(_ bytes: [UInt8], _ name: String) throws {
        try AtomicFile.write(bytes, to: folder("set/" + name))
    }

    /// A pickle of {'vocab_size': size}.
    func writeMeta(_ size: Int32) throws {
        let number = withUnsafeBytes(of: size.littleEndian) { Array($0) }
        try write(
            [0x80, 2, 0x7D, 0x58, 10, 0, 0, 0] + Array("vocab_size".utf8) + [0x4A] + number + [0x73, 0x2E],
            "meta.pkl"
        )
    }

    func open() throws -> Dataset { try Dataset.open(folder: folder.path, name: "set") }

    func all(_ sequence: TokenSequence) throws -> [Int] {
        var tokens = [Int32](repeating: -1, count: sequence.count)
        try tokens.withUnsafeMutableBufferPointer {
            try sequence.copy(from: 0, count: $0.count, into: $0.baseAddress!)
        }
        return tokens.map { Int($0) }
    }

    func expectSameTokens(_ dataset: Dataset, sourceLocation: SourceLocation = #_sourceLocation) throws {
        #expect(try all(dataset.train) == train, sourceLocation: sourceLocation)
        #expect(try all(dataset.validation) == validation, sourceLocation: sourceLocation)
        try TokenCheck(dataset, pool: WorkerPool(threadCount: 1))
    }

    func expectRefusal(_ parts: String..., sourceLocation: SourceLocation = #_sourceLocation) throws {
        let error = #expect(throws: UserError.self, sourceLocation: sourceLocation) {
            try TokenCheck(try open(), pool: WorkerPool(threadCount: 1))
        }
        #expect(error?.kind == .data, sourceLocation: sourceLocation)
        for part in parts {
            #expect(error?.message.contains(part) == true, "\(error?.message ?? "")", sourceLocation: sourceLocation)
        }
    }
}
