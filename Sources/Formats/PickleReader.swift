import Platform

/// A value that a pickle can hold without running code.
public enum PickleValue: Equatable, Sendable {
    // The last three are met in files of PyTorch only: see `TorchFile`.
    case none
    case bool(Bool)
    case integer(Int)
    case number(Double)
    case string(String)
    case bytes([UInt8])
    case list([PickleValue])
    case tuple([PickleValue])
    case dictionary([Pair])
    /// A class or function by module and name, such as `torch.FloatStorage`.
    case global(String)
    case storage(TorchTensor.Storage)
    case tensor(TorchTensor)

    /// A key of a dictionary with its value.
    public struct Pair: Equatable, Sendable {
        /// Any value; most are strings.
        public let key: PickleValue
        /// Any value.
        public let value: PickleValue

        /// Two values that were read already.
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
/// It executes nothing: an opcode that names or calls anything is refused, but for the constructors of tensors where
/// a file of PyTorch is read (`TorchFile`), which become descriptions. Work and memory are bounded by the length of
/// the file, since every opcode makes at most one value and values are never repeated: a list or dictionary that is
/// referred to twice, which nanoGPT's meta.pkl has not, is refused too. Source of the opcodes: Python's
/// Lib/pickletools.py.
public struct PickleReader {
    private static let longestFile = 64 << 20
    /// Values within values: more could not be let go of again without a deep stack.
    private static let deepest = 64

    private let bytes: [UInt8]
    private let constructors: TorchConstructors?
    private var position = 0
    private var stack: [PickleValue] = []
    /// Of each value on the stack: 0, or one more than the deepest within it; and the deepest of what was popped last.
    private var depths: [Int] = []
    private var poppedDepth = 0
    /// Heights of the stack at each MARK.
    private var marks: [Int] = []
    /// Immutable values that may be referred to again; nil for a list or dictionary.
    private var memo: [Int: (value: PickleValue?, depth: Int)] = [:]

    struct Malformed: Error {
        let reason: String
    }

    /// - Throws: `UserError(.inputOutput)` when the file cannot be read, `UserError(.data)` with path, reason and byte
    ///   when it is no pickle of plain data.
    public static func read(path: String) throws -> PickleValue {
        try read(try FileSystem.read(path, limit: longestFile), named: path)
    }

    /// Reads what stands in a file.
    ///
    /// - Parameters:
    ///   - name: what an error calls it.
    ///   - constructors: of tensors, where they are allowed.
    /// - Throws: `UserError(.data)`.
    static func read(
        _ bytes: [UInt8],
        named name: String,
        constructors: TorchConstructors? = nil
    ) throws -> PickleValue {
        var reader = PickleReader(bytes: bytes, constructors: constructors)
        do {
            return try reader.value()
        } catch let malformed as Malformed {
            throw UserError(.data, "cannot read \(name) as a pickle: \(malformed.reason) (byte \(reader.position))")
        }
    }

    private init(bytes: [UInt8], constructors: TorchConstructors?) {
        self.bytes = bytes
        self.constructors = constructors
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
        case UInt8(ascii: "N"): push(.none)
        case 0x88: push(.bool(true))
        case 0x89: push(.bool(false))
        case UInt8(ascii: "K"): push(.integer(try integer(bytes: 1)))
        case UInt8(ascii: "M"): push(.integer(try integer(bytes: 2)))
        case UInt8(ascii: "J"): push(.integer(Int(Int32(truncatingIfNeeded: try integer(bytes: 4)))))
        case 0x8A: push(.integer(try longInteger()))
        case UInt8(ascii: "G"): push(.number(try double()))
        case 0x8C: push(.string(try string(length: integer(bytes: 1))))
        case UInt8(ascii: "X"): push(.string(try string(length: integer(bytes: 4))))
        case 0x8D: push(.string(try string(length: integer(bytes: 8))))
        case UInt8(ascii: "C"): push(.bytes(Array(try take(integer(bytes: 1)))))
        case UInt8(ascii: "B"): push(.bytes(Array(try take(integer(bytes: 4)))))
        case 0x8E: push(.bytes(Array(try take(integer(bytes: 8)))))
        case UInt8(ascii: "("): marks.append(stack.count)
        case UInt8(ascii: ")"): push(.tuple([]))
        case UInt8(ascii: "]"): push(.list([]))
        case UInt8(ascii: "}"): push(.dictionary([]))
        case 0x85: try nest(.tuple(pop(1)))
        case 0x86: try nest(.tuple(pop(2)))
        case 0x87: try nest(.tuple(pop(3)))
        case UInt8(ascii: "t"): try nest(.tuple(popToMark()))
        case UInt8(ascii: "a"): try extendList(pop(1))
        case UInt8(ascii: "e"): try extendList(popToMark())
        case UInt8(ascii: "s"): try extendDictionary(pop(2))
        case UInt8(ascii: "u"): try extendDictionary(popToMark())
        case 0x94: try memoize(at: memo.count)
        case UInt8(ascii: "q"): try memoize(at: integer(bytes: 1))
        case UInt8(ascii: "r"): try memoize(at: integer(bytes: 4))
        case UInt8(ascii: "h"): try recall(integer(bytes: 1))
        case UInt8(ascii: "j"): try recall(integer(bytes: 4))
        default: try construct(opcode)
        }
    }

    /// Opcodes that name or call Python objects: refused, but for those that `constructors` know.
    private mutating func construct(_ opcode: UInt8) throws {
        switch opcode {
        case UInt8(ascii: "c") where constructors != nil:
            push(try constructors!.global(module: line(), name: line()))
        case 0x93 where constructors != nil:
            let names = try pop(2)
            guard case .string(let module) = names[0], case .string(let name) = names[1] else {
                throw Malformed(reason: "a global without a name")
            }
            push(try constructors!.global(module: module, name: name))
        case UInt8(ascii: "R") where constructors != nil:
            let call = try pop(2)
            push(try constructors!.call(call[0], call[1]))
        case UInt8(ascii: "Q") where constructors != nil:
            push(try constructors!.persistent(pop(1)[0]))
        case UInt8(ascii: "b") where constructors != nil:
            // Attributes of an OrderedDict, as PyTorch's _metadata: nothing that the tensors need.
            let pair = try pop(2)
            guard case .dictionary = pair[0] else { throw Malformed(reason: "it sets the attributes of an object") }
            try nest(pair[0])
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

    /// Text up to the end of a line.
    private mutating func line() throws -> String {
        guard let end = bytes[position...].firstIndex(of: UInt8(ascii: "\n")) else {
            throw Malformed(reason: "it was cut short")
        }
        defer { position += 1 }
        return try string(length: end - position)
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

    private mutating func push(_ value: PickleValue, depth: Int = 0) {
        stack.append(value)
        depths.append(depth)
    }

    /// Pushes what holds the values that were popped last.
    private mutating func nest(_ value: PickleValue, depth: Int = 0) throws {
        let depth = max(depth, poppedDepth + 1)
        guard depth <= Self.deepest else { throw Malformed(reason: "more than \(Self.deepest) levels") }
        push(value, depth: depth)
    }

    private mutating func pop(_ count: Int) throws -> [PickleValue] {
        guard stack.count - (marks.last ?? 0) >= count else { throw Malformed(reason: "a value is missing") }
        return remove(from: stack.count - count)
    }

    private mutating func popToMark() throws -> [PickleValue] {
        guard let mark = marks.popLast() else { throw Malformed(reason: "a mark is missing") }
        return remove(from: mark)
    }

    private mutating func remove(from start: Int) -> [PickleValue] {
        poppedDepth = depths[start...].max() ?? 0
        defer {
            stack.removeSubrange(start...)
            depths.removeSubrange(start...)
        }
        return Array(stack[start...])
    }

    private mutating func extendList(_ values: [PickleValue]) throws {
        guard stack.count > marks.last ?? 0, case .list(var list) = stack.removeLast() else {
            throw Malformed(reason: "elements without a list")
        }
        list += values
        try nest(.list(list), depth: depths.removeLast())
    }

    private mutating func extendDictionary(_ values: [PickleValue]) throws {
        guard stack.count > marks.last ?? 0, values.count % 2 == 0, case .dictionary(var pairs) = stack.removeLast()
        else {
            throw Malformed(reason: "keys without a dictionary")
        }
        for index in stride(from: 0, to: values.count, by: 2) {
            pairs.append(.init(key: values[index], value: values[index + 1]))
        }
        try nest(.dictionary(pairs), depth: depths.removeLast())
    }

    private mutating func memoize(at index: Int) throws {
        guard let value = stack.last, let depth = depths.last else { throw Malformed(reason: "a value is missing") }
        switch value {
        case .list, .dictionary: memo[index] = (nil, depth)
        default: memo[index] = (value, depth)
        }
    }

    private mutating func recall(_ index: Int) throws {
        guard let entry = memo[index] else { throw Malformed(reason: "a reference to nothing") }
        guard let value = entry.value else { throw Malformed(reason: "a list or dictionary in two places") }
        push(value, depth: entry.depth)
    }
}
