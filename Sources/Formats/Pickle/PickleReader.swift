import Platform

/// Reads Python pickles of protocols 0 to 5.
///
/// Reading executes nothing. An opcode that names or calls Python objects yields an opaque `PickleValue` with that
/// name. PyTorch tensors, NumPy scalars and ordered dictionaries become plain data. The length of the file and
/// `maximumValueCount` bound the work and the memory. Source of the opcodes: Python's Lib/pickletools.py.
public struct PickleReader {
    /// More values than any checkpoint or vocabulary contains.
    private static let maximumValueCount = 1 << 23

    var cursor: PickleCursor
    var graph: PickleGraph
    private var stack: [PickleNode] = []
    /// The height of the stack at each MARK.
    private var marks: [Int] = []
    private var memo: [Int: PickleNode] = [:]
    /// The number of values pushed, marked or memoized so far.
    private var valueCount = 0

    struct Malformed: Error {
        let reason: String
    }

    /// Reads the first value of a file.
    ///
    /// - Throws: `UserError(.inputOutput)` if the file cannot be read; `UserError(.data)` with path, reason and byte
    ///   offset if it is not a pickle.
    public static func read(path: String) throws -> PickleValue {
        let file = try MappedFile(path: path)
        return try read(file, 0..<file.bytes.count, named: path).value
    }

    /// Reads a value inside a file and returns its end.
    ///
    /// - Parameters:
    ///   - file: the file.
    ///   - range: the bytes that the value may occupy; it may be shorter.
    ///   - name: what an error message calls the value.
    /// - Throws: `UserError(.data)` if the bytes are not a pickle.
    static func read(
        _ file: MappedFile,
        _ range: Range<Int>,
        named name: String
    ) throws -> (value: PickleValue, end: Int) {
        var reader = PickleReader(
            cursor: PickleCursor(bytes: file.bytes, range: range),
            graph: PickleGraph(file: file)
        )
        do {
            let node = try reader.value()
            return (PickleValue(node, in: reader.graph), reader.cursor.position)
        } catch let malformed as Malformed {
            throw UserError(
                .data,
                """
                cannot read \(name) as a pickle: \(malformed.reason) \
                (byte \(reader.cursor.position - range.lowerBound))
                """
            )
        }
    }

    private init(cursor: PickleCursor, graph: PickleGraph) {
        self.cursor = cursor
        self.graph = graph
    }

    private mutating func value() throws -> PickleNode {
        while true {
            let opcode = try cursor.byte()
            if opcode == UInt8(ascii: ".") {
                guard stack.count == 1, marks.isEmpty else {
                    throw Malformed(reason: "it does not end with exactly one value")
                }
                return stack[0]
            }
            if try readScalar(opcode) { continue }
            if try readContainer(opcode) { continue }
            if try readObject(opcode) { continue }
            throw Malformed(reason: "0x\(String(opcode, radix: 16)) is not a pickle opcode")
        }
    }

    // MARK: - Opcodes: each function returns false for an opcode that it does not handle

    private mutating func readScalar(_ opcode: UInt8) throws -> Bool {
        switch opcode {
        case 0x80:  // PROTO
            let version = try cursor.byte()
            guard version <= 5 else {
                throw Malformed(reason: "it uses protocol \(version), but only 0 to 5 can be read")
            }
        case 0x95: _ = try cursor.integer(bytes: 8)  // FRAME: only a hint for reading ahead
        case UInt8(ascii: "N"): try push(.none)
        case 0x88: try push(.bool(true))
        case 0x89: try push(.bool(false))
        case UInt8(ascii: "I"), UInt8(ascii: "L"): try push(cursor.integerLine())
        case UInt8(ascii: "K"): try push(.integer(cursor.integer(bytes: 1)))
        case UInt8(ascii: "M"): try push(.integer(cursor.integer(bytes: 2)))
        case UInt8(ascii: "J"): try push(.integer(Int(Int32(truncatingIfNeeded: cursor.integer(bytes: 4)))))
        case 0x8A: try push(cursor.longInteger(1))
        case 0x8B: try push(cursor.longInteger(4))
        case UInt8(ascii: "F"): try push(.number(cursor.numberLine()))
        case UInt8(ascii: "G"): try push(.number(cursor.double()))
        case UInt8(ascii: "S"): try push(.text(cursor.quotedLine()))
        case UInt8(ascii: "V"): try push(.text(PickleSpan(range: cursor.line(), form: .rawEscapes)))
        case UInt8(ascii: "U"), 0x8C: try push(.text(cursor.lengthPrefixed(1)))
        case UInt8(ascii: "T"), UInt8(ascii: "X"): try push(.text(cursor.lengthPrefixed(4)))
        case 0x8D: try push(.text(cursor.lengthPrefixed(8)))
        case UInt8(ascii: "C"): try push(.bytes(cursor.lengthPrefixed(1)))
        case UInt8(ascii: "B"): try push(.bytes(cursor.lengthPrefixed(4)))
        case 0x8E, 0x96: try push(.bytes(cursor.lengthPrefixed(8)))
        default: return false
        }
        return true
    }

    private mutating func readContainer(_ opcode: UInt8) throws -> Bool {
        switch opcode {
        case UInt8(ascii: "("):
            try count()
            marks.append(stack.count)
        case UInt8(ascii: ")"): try pushContainer(.tuple, [])
        case UInt8(ascii: "]"): try pushContainer(.list, [])
        case UInt8(ascii: "}"): try pushContainer(.dictionary, [])
        case 0x8F: try pushContainer(.set, [])
        case 0x85: try pushContainer(.tuple, pop(1))
        case 0x86: try pushContainer(.tuple, pop(2))
        case 0x87: try pushContainer(.tuple, pop(3))
        case UInt8(ascii: "t"): try pushContainer(.tuple, popToMark())
        case UInt8(ascii: "l"): try pushContainer(.list, popToMark())
        case UInt8(ascii: "d"): try pushContainer(.dictionary, pairs(popToMark()))
        case 0x91: try pushContainer(.set, popToMark())
        case UInt8(ascii: "a"): try extend(.list, pop(1))
        case UInt8(ascii: "e"): try extend(.list, popToMark())
        case 0x90: try extend(.set, popToMark())
        case UInt8(ascii: "s"): try extend(.dictionary, pop(2))
        case UInt8(ascii: "u"): try extend(.dictionary, pairs(popToMark()))
        case UInt8(ascii: "0"):
            // POP removes the mark if no value is above it.
            if stack.count == marks.last { marks.removeLast() } else { _ = try pop(1) }
        case UInt8(ascii: "1"): _ = try popToMark()
        case UInt8(ascii: "2"): try push(top())
        case UInt8(ascii: "p"): try memoize(at: cursor.indexLine())
        case UInt8(ascii: "q"): try memoize(at: cursor.integer(bytes: 1))
        case UInt8(ascii: "r"): try memoize(at: cursor.integer(bytes: 4))
        case 0x94: try memoize(at: memo.count)
        case UInt8(ascii: "g"): try recall(cursor.indexLine())
        case UInt8(ascii: "h"): try recall(cursor.integer(bytes: 1))
        case UInt8(ascii: "j"): try recall(cursor.integer(bytes: 4))
        default: return false
        }
        return true
    }

    /// Handles opcodes that name or call Python objects. Nothing is called.
    private mutating func readObject(_ opcode: UInt8) throws -> Bool {
        switch opcode {
        case UInt8(ascii: "c"): try push(global(module: cursor.textLine(), name: cursor.textLine()))
        case 0x93:
            let names = try pop(2)
            guard let module = graph.name(names[0]), let name = graph.name(names[1]) else {
                throw Malformed(reason: "a global has no name")
            }
            try push(global(module: module, name: name))
        case UInt8(ascii: "R"), 0x81:
            let call = try pop(2)
            try push(result(of: call[0], call[1]))
        case 0x92:
            let call = try pop(3)
            try push(object(call[0], call[1]))
        case UInt8(ascii: "i"):
            let maker = try global(module: cursor.textLine(), name: cursor.textLine())
            try push(object(maker, container(.tuple, popToMark())))
        case UInt8(ascii: "o"):
            let values = try popToMark()
            guard let maker = values.first else { throw Malformed(reason: "an object has no class") }
            try push(object(maker, container(.tuple, Array(values.dropFirst()))))
        case UInt8(ascii: "b"): try build(pop(1)[0])
        case UInt8(ascii: "P"):
            _ = try cursor.line()
            try push(.unknown)
        case UInt8(ascii: "Q"): try push(persistent(pop(1)[0]))
        // Extension codes refer to a registry that only the program that wrote the file has.
        case 0x82: try pushExtension(bytes: 1)
        case 0x83: try pushExtension(bytes: 2)
        case 0x84: try pushExtension(bytes: 4)
        case 0x97: try push(.unknown)  // NEXT_BUFFER: bytes stored outside the file
        case 0x98: _ = try top()  // READONLY_BUFFER
        default: return false
        }
        return true
    }

    private mutating func pushExtension(bytes: Int) throws {
        _ = try cursor.integer(bytes: bytes)
        try push(.unknown)
    }

    // MARK: - The stack

    mutating func count(_ values: Int = 1) throws {
        valueCount += values
        guard valueCount <= Self.maximumValueCount else {
            throw Malformed(reason: "it has more than \(Self.maximumValueCount) values")
        }
    }

    private mutating func push(_ node: PickleNode) throws {
        try count()
        stack.append(node)
    }

    mutating func container(_ kind: PickleContainer.Kind, _ elements: [PickleNode]) -> PickleNode {
        graph.containers.append(PickleContainer(kind: kind, elements: elements))
        return .container(graph.containers.count - 1)
    }

    /// The object that `maker` would create from its arguments; BUILD sets its state later.
    mutating func object(_ maker: PickleNode, _ arguments: PickleNode) -> PickleNode {
        container(.object, [maker, arguments, .none])
    }

    private mutating func pushContainer(_ kind: PickleContainer.Kind, _ elements: [PickleNode]) throws {
        try push(container(kind, elements))
    }

    private func top() throws -> PickleNode {
        guard stack.count > marks.last ?? 0, let node = stack.last else {
            throw Malformed(reason: "a value is missing")
        }
        return node
    }

    private mutating func pop(_ count: Int) throws -> [PickleNode] {
        guard stack.count - (marks.last ?? 0) >= count else { throw Malformed(reason: "a value is missing") }
        return remove(from: stack.count - count)
    }

    private mutating func popToMark() throws -> [PickleNode] {
        guard let mark = marks.popLast() else { throw Malformed(reason: "a mark is missing") }
        return remove(from: mark)
    }

    private mutating func remove(from start: Int) -> [PickleNode] {
        defer { stack.removeSubrange(start...) }
        return Array(stack[start...])
    }

    private func pairs(_ values: [PickleNode]) throws -> [PickleNode] {
        guard values.count % 2 == 0 else { throw Malformed(reason: "a key has no value") }
        return values
    }

    /// Adds values to the list, set or dictionary on top of the stack, or entries to the object there.
    private mutating func extend(_ kind: PickleContainer.Kind, _ values: [PickleNode]) throws {
        switch try top() {
        case .container(let index) where graph.containers[index].kind == kind:
            graph.containers[index].elements += values
        case .container(let index) where graph.containers[index].kind == .object:
            // Nothing reads the elements of a subclass of list or set.
            if kind == .dictionary { graph.containers[index].elements += values }
        case .unknown: break
        default: throw Malformed(reason: "an opcode adds values to something that is not a \(kind)")
        }
    }

    /// Sets the state of the object on top of the stack.
    private mutating func build(_ state: PickleNode) throws {
        switch try top() {
        case .container(let index) where graph.containers[index].kind == .object:
            graph.containers[index].elements[2] = state
        // Ignore attributes of an ordered dictionary or a tensor, such as PyTorch's _metadata.
        case .container(let index) where graph.containers[index].kind == .dictionary: break
        case .tensor, .unknown: break
        default: throw Malformed(reason: "a value that has no attributes gets one")
        }
    }

    private mutating func memoize(at index: Int) throws {
        try count()
        memo[index] = try top()
    }

    private mutating func recall(_ index: Int) throws {
        guard let node = memo[index] else { throw Malformed(reason: "it refers to a memo entry that does not exist") }
        try push(node)
    }
}
