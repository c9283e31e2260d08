/// A value that a pickle can hold without running code.
public enum PickleValue: Equatable, Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case bytes([UInt8])
    case list([PickleValue])
    case tuple([PickleValue])
    case dictionary([Pair])

    public struct Pair: Equatable, Sendable {
        public let key: PickleValue
        public let value: PickleValue

        public init(key: PickleValue, value: PickleValue) {
            self.key = key
            self.value = value
        }
    }

    /// The value of a string key of a dictionary.
    public subscript(key: String) -> PickleValue? {
        guard case .dictionary(let pairs) = self else { return nil }
        return pairs.last { $0.key == .string(key) }?.value
    }
}

/// Reads Python pickles (protocols 2 to 5) of plain data: numbers, strings, lists, tuples, dictionaries.
///
/// It executes nothing: an opcode that names or calls anything is refused. Work and memory are bounded by the length of
/// the file, since every opcode makes at most one value and values are never repeated: a list or dictionary that
/// is referred to twice, which nanoGPT's meta.pkl has not, is refused too.
/// Source of the opcodes: Python's Lib/pickletools.py.
public struct PickleReader {
    private static let longestFile = 64 << 20

    private let bytes: [UInt8]
    private var position = 0
    private var stack: [PickleValue] = []
    /// Heights of the stack at each MARK.
    private var marks: [Int] = []
    /// Immutable values that may be referred to again; nil for a list or dictionary.
    private var memo: [Int: PickleValue?] = [:]

    private struct Malformed: Error {
        let reason: String
    }

    /// - Throws: `UserError(.inputOutput)` when the file cannot be read, `UserError(.data)` with path, reason and byte
    ///   when it is no pickle of plain data.
    public static func read(path: String) throws -> PickleValue {
        var reader = PickleReader(bytes: try FileSystem.read(path, limit: longestFile))
        do {
            return try reader.value()
        } catch let malformed as Malformed {
            throw UserError(.data, "cannot read \(path) as a pickle: \(malformed.reason) (byte \(reader.position))")
        }
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private mutating func value() throws -> PickleValue {
        while true {
            let opcode = try byte()
            if opcode == UInt8(ascii: ".") {
                guard stack.count == 1, marks.isEmpty else { throw Malformed(reason: "it does not end with one value") }
                return stack[0]
            }
            try execute(opcode)
        }
    }

    private mutating func execute(_ opcode: UInt8) throws {
        switch opcode {
        case 0x80:  // PROTO
            let version = try byte()
            guard (2...5).contains(version) else { throw Malformed(reason: "protocol \(version); 2 to 5 are read") }
        case 0x95: _ = try integer(bytes: 8)  // FRAME: only a hint for reading ahead
        case UInt8(ascii: "N"): stack.append(.none)
        case 0x88: stack.append(.bool(true))
        case 0x89: stack.append(.bool(false))
        case UInt8(ascii: "K"): stack.append(.integer(try integer(bytes: 1)))
        case UInt8(ascii: "M"): stack.append(.integer(try integer(bytes: 2)))
        case UInt8(ascii: "J"): stack.append(.integer(Int(Int32(truncatingIfNeeded: try integer(bytes: 4)))))
        case 0x8A: stack.append(.integer(try longInteger()))
        case UInt8(ascii: "G"): stack.append(.number(try double()))
        case 0x8C: stack.append(.string(try string(length: integer(bytes: 1))))
        case UInt8(ascii: "X"): stack.append(.string(try string(length: integer(bytes: 4))))
        case 0x8D: stack.append(.string(try string(length: integer(bytes: 8))))
        case UInt8(ascii: "C"): stack.append(.bytes(Array(try take(integer(bytes: 1)))))
        case UInt8(ascii: "B"): stack.append(.bytes(Array(try take(integer(bytes: 4)))))
        case 0x8E: stack.append(.bytes(Array(try take(integer(bytes: 8)))))
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: ")"): stack.append(.tuple([]))
        case UInt8(ascii: "]"): stack.append(.list([]))
        case UInt8(ascii: "}"): stack.append(.dictionary([]))
        case 0x85: stack.append(.tuple(try pop(1)))
        case 0x86: stack.append(.tuple(try pop(2)))
        case 0x87: stack.append(.tuple(try pop(3)))
        case UInt8(ascii: "t"): stack.append(.tuple(try popToMark()))
        case UInt8(ascii: "a"): try extendList(pop(1))
        case UInt8(ascii: "e"): try extendList(popToMark())
        case UInt8(ascii: "s"): try extendDictionary(pop(2))
        case UInt8(ascii: "u"): try extendDictionary(popToMark())
        case 0x94: try memoize(at: memo.count)
        case UInt8(ascii: "q"): try memoize(at: integer(bytes: 1))
        case UInt8(ascii: "r"): try memoize(at: integer(bytes: 4))
        case UInt8(ascii: "h"): stack.append(try remembered(at: integer(bytes: 1)))
        case UInt8(ascii: "j"): stack.append(try remembered(at: integer(bytes: 4)))
        case UInt8(ascii: "c"), 0x93, UInt8(ascii: "i"), UInt8(ascii: "o"), UInt8(ascii: "R"), 0x81, 0x92,
            UInt8(ascii: "b"), UInt8(ascii: "P"), UInt8(ascii: "Q"), 0x82, 0x83, 0x84:
            throw Malformed(reason: "it names or calls Python objects; only plain data is read")
        default: throw Malformed(reason: "the opcode 0x\(String(opcode, radix: 16)) is not one of plain data")
        }
    }

    // MARK: - Bytes

    private mutating func byte() throws -> UInt8 {
        guard position < bytes.count else { throw Malformed(reason: "it was cut short") }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func take(_ count: Int) throws -> ArraySlice<UInt8> {
        guard count >= 0, count <= bytes.count - position else { throw Malformed(reason: "it was cut short") }
        defer { position += count }
        return bytes[position..<position + count]
    }

    /// An unsigned little-endian number of up to 8 bytes.
    private mutating func integer(bytes count: Int) throws -> Int {
        var value: UInt64 = 0
        for byte in try take(count).reversed() { value = value << 8 | UInt64(byte) }
        guard let value = Int(exactly: value) else { throw Malformed(reason: "a length of \(value)") }
        return value
    }

    /// LONG1: a two's-complement number of up to 8 bytes.
    private mutating func longInteger() throws -> Int {
        let content = try take(integer(bytes: 1))
        guard content.count <= 8 else { throw Malformed(reason: "a whole number of \(content.count) bytes") }
        var value = content.last.map { $0 >= 0x80 ? -1 : 0 } ?? 0
        for byte in content.reversed() { value = value << 8 | Int(byte) }
        return value
    }

    private mutating func double() throws -> Double {
        var bits: UInt64 = 0
        for byte in try take(8) { bits = bits << 8 | UInt64(byte) }
        return Double(bitPattern: bits)
    }

    private mutating func string(length: Int) throws -> String {
        guard let text = String(validating: try take(length), as: UTF8.self) else {
            throw Malformed(reason: "a string that is not UTF-8")
        }
        return text
    }

    // MARK: - The stack

    private mutating func pop(_ count: Int) throws -> [PickleValue] {
        guard stack.count - (marks.last ?? 0) >= count else { throw Malformed(reason: "a value is missing") }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popToMark() throws -> [PickleValue] {
        guard let mark = marks.popLast() else { throw Malformed(reason: "a mark is missing") }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    private mutating func extendList(_ values: [PickleValue]) throws {
        guard stack.count > marks.last ?? 0, case .list(var list) = stack.removeLast() else {
            throw Malformed(reason: "elements without a list")
        }
        list += values
        stack.append(.list(list))
    }

    private mutating func extendDictionary(_ values: [PickleValue]) throws {
        guard stack.count > marks.last ?? 0, values.count % 2 == 0, case .dictionary(var pairs) = stack.removeLast()
        else {
            throw Malformed(reason: "keys without a dictionary")
        }
        for index in stride(from: 0, to: values.count, by: 2) {
            pairs.append(.init(key: values[index], value: values[index + 1]))
        }
        stack.append(.dictionary(pairs))
    }

    private mutating func memoize(at index: Int) throws {
        guard let value = stack.last else { throw Malformed(reason: "a value is missing") }
        switch value {
        case .list, .dictionary: memo[index] = .some(nil)
        default: memo[index] = value
        }
    }

    private func remembered(at index: Int) throws -> PickleValue {
        guard let entry = memo[index] else { throw Malformed(reason: "a reference to nothing") }
        guard let value = entry else { throw Malformed(reason: "a list or dictionary in two places") }
        return value
    }
}
