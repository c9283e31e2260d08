import Platform

/// One value of a pickle. A value that holds others refers to them by index in a `PickleGraph`.
enum PickleNode: Sendable {
    case none
    case bool(Bool)
    case integer(Int)
    /// An integer of more than 64 bits.
    case largeInteger
    case number(Double)
    case text(PickleSpan)
    case bytes(PickleSpan)
    /// Bytes that protocols 0 to 2 write as text, one character per byte.
    case encodedBytes(PickleSpan)
    /// The text of a NumPy scalar, by index in `strings`.
    case string(Int)
    /// A class or function by module and name, by index in `strings`.
    case global(Int)
    case container(Int)
    case storage(Int)
    case tensor(Int)
    /// A value that only the program that wrote the file can read.
    case unknown
}

/// The values that a list, dictionary, object or another container holds.
struct PickleContainer: Sendable {
    enum Kind: Sendable {
        case list, tuple, set
        /// Alternating keys and values.
        case dictionary
        /// The result of a call that is not made: the class or function, its arguments, its state, then alternating
        /// keys and values.
        case object
    }

    let kind: Kind
    var elements: [PickleNode]
}

/// All values of a pickle and their references to each other.
///
/// Values refer to each other by index, because a list or dictionary may appear in several places or contain itself.
/// Every opcode adds at most one value, and no function here recurses into nested values. The length of a file
/// therefore bounds the memory and the stack depth.
struct PickleGraph: Sendable {
    /// Keeps the mapped bytes of text valid.
    let file: MappedFile
    var containers: [PickleContainer] = []
    var strings: [String] = []
    var storages: [TorchTensor.Storage] = []
    var tensors: [TorchTensor] = []

    init(file: MappedFile) { self.file = file }

    func text(_ node: PickleNode) -> String? {
        switch node {
        case .text(let span): span.text(in: file.bytes)
        case .string(let index): strings[index]
        default: nil
        }
    }

    /// Whether text or bytes are short enough to be a name. While a pickle is read, only short ones are decoded,
    /// because a pickle can refer to the same text many times.
    func isShort(_ node: PickleNode) -> Bool {
        switch node {
        case .text(let span), .bytes(let span), .encodedBytes(let span): span.range.count <= 1024
        default: true
        }
    }

    /// The text, if it is short enough to be a name.
    func name(_ node: PickleNode) -> String? { isShort(node) ? text(node) : nil }

    /// The content of a bytes object. Text counts too, because Python 2 wrote bytes as text.
    func bytes(_ node: PickleNode) -> [UInt8]? {
        switch node {
        case .bytes(let span), .text(let span): span.bytes(in: file.bytes)
        case .encodedBytes(let span): span.text(in: file.bytes).flatMap(Self.bytes(ofLatin1:))
        default: nil
        }
    }

    private static func bytes(ofLatin1 text: String) -> [UInt8]? {
        let bytes = text.unicodeScalars.compactMap { UInt8(exactly: $0.value) }
        return bytes.count == text.unicodeScalars.count ? bytes : nil
    }

    /// The `module.name` of a class or function.
    func globalName(_ node: PickleNode) -> String? {
        guard case .global(let index) = node else { return nil }
        return strings[index]
    }

    /// The elements of a list or tuple.
    func elements(_ node: PickleNode) -> [PickleNode]? {
        guard case .container(let index) = node, [.list, .tuple].contains(containers[index].kind) else { return nil }
        return containers[index].elements
    }

    /// The class, arguments and state of an object.
    func object(_ node: PickleNode) -> (maker: PickleNode, arguments: PickleNode, state: PickleNode)? {
        guard case .container(let index) = node, containers[index].kind == .object else { return nil }
        let elements = containers[index].elements
        return (elements[0], elements[1], elements[2])
    }

    /// The class of an object, or the function that would create it.
    func maker(_ node: PickleNode) -> String? {
        guard let object = object(node), let name = globalName(object.maker) else { return nil }
        // copyreg's functions create an object of the class that is their first argument.
        guard name.hasPrefix("copyreg."), let first = elements(object.arguments)?.first else { return name }
        return globalName(first) ?? name
    }

    /// The keys and values of a dictionary. For an object, its entries or, without entries, its attributes.
    func pairs(_ node: PickleNode) -> [(key: PickleNode, value: PickleNode)]? {
        guard case .container(let index) = node else { return nil }
        let elements = containers[index].elements
        switch containers[index].kind {
        case .dictionary: return Self.pairs(elements[...])
        case .object where elements.count > 3: return Self.pairs(elements[3...])
        case .object: return attributes(elements[2]) ?? inheritedPairs(elements[1])
        case .list, .tuple, .set: return nil
        }
    }

    /// The attributes in an object's state: a dictionary, or a tuple of a dictionary or None and a dictionary of slots.
    private func attributes(_ state: PickleNode) -> [(key: PickleNode, value: PickleNode)]? {
        if let pairs = dictionary(state) { return pairs }
        guard let parts = elements(state), parts.count == 2, let slots = dictionary(parts[1]) else { return nil }
        return (dictionary(parts[0]) ?? []) + slots
    }

    private func dictionary(_ node: PickleNode) -> [(key: PickleNode, value: PickleNode)]? {
        guard case .container(let index) = node, containers[index].kind == .dictionary else { return nil }
        return Self.pairs(containers[index].elements[...])
    }

    /// The entries of an object of a dict subclass, which protocols 0 and 1 write as `_reconstructor(class, dict,
    /// entries)`.
    private func inheritedPairs(_ arguments: PickleNode) -> [(key: PickleNode, value: PickleNode)]? {
        guard let arguments = elements(arguments), arguments.count == 3, globalName(arguments[1]) == "builtins.dict"
        else {
            return nil
        }
        return dictionary(arguments[2])
    }

    private static func pairs(_ elements: ArraySlice<PickleNode>) -> [(key: PickleNode, value: PickleNode)] {
        stride(from: elements.startIndex, to: elements.endIndex, by: 2).map { (elements[$0], elements[$0 + 1]) }
    }
}
