/// Calls that represent plain data. Every other call becomes an object with the name of the function.
extension PickleReader {
    /// Returns a class or function under its Python 3 name.
    mutating func global(module: String, name: String) throws -> PickleNode {
        .global(try add((Self.renamedModules[module] ?? module) + "." + name))
    }

    private mutating func add(_ string: String) throws -> Int {
        try count(string.utf8.count / 16)
        graph.strings.append(string)
        return graph.strings.count - 1
    }

    /// Current module names by their names in older pickles.
    private static let renamedModules = [
        "__builtin__": "builtins", "copy_reg": "copyreg", "numpy._core.multiarray": "numpy.core.multiarray",
    ]

    mutating func result(of maker: PickleNode, _ arguments: PickleNode) throws -> PickleNode {
        guard let name = graph.globalName(maker), let values = graph.elements(arguments) else {
            return object(maker, arguments)
        }
        let plain: PickleNode? =
            switch name {
            case "collections.OrderedDict": try orderedDictionary(values)
            case "_codecs.encode": encodedBytes(values)
            case "numpy.core.multiarray.scalar": try numpyScalar(values)
            // The only argument of torch.Size is the tuple of its sizes.
            case "torch.Size": values.first.flatMap { graph.elements($0) == nil ? nil : $0 }
            default: tensor(name, values)
            }
        return plain ?? object(maker, arguments)
    }

    /// Returns an empty dictionary, or one from a list of pairs as Python 2 writes it.
    private mutating func orderedDictionary(_ arguments: [PickleNode]) throws -> PickleNode? {
        guard let first = arguments.first else { return container(.dictionary, []) }
        guard arguments.count == 1, let pairs = graph.elements(first) else { return nil }
        try count(2 * pairs.count)
        var elements: [PickleNode] = []
        for pair in pairs {
            guard let pair = graph.elements(pair), pair.count == 2 else { return nil }
            elements += pair
        }
        return container(.dictionary, elements)
    }

    private func encodedBytes(_ arguments: [PickleNode]) -> PickleNode? {
        guard arguments.count == 2, case .text(let span) = arguments[0], graph.name(arguments[1]) == "latin1" else {
            return nil
        }
        return .encodedBytes(span)
    }

    // MARK: - NumPy

    /// Returns the number or string that a NumPy scalar, `scalar(dtype, bytes)`, holds.
    private mutating func numpyScalar(_ arguments: [PickleNode]) throws -> PickleNode? {
        guard arguments.count == 2, let type = graph.object(arguments[0]),
            graph.globalName(type.maker) == "numpy.dtype",
            let code = graph.elements(type.arguments)?.first.flatMap(graph.name),
            graph.isShort(arguments[1]), var content = graph.bytes(arguments[1])
        else { return nil }
        // A dtype's state is the tuple (version, byte order, ...).
        let order = graph.elements(type.state)?.dropFirst().first.flatMap(graph.name)
        let size = code.first == "U" ? 4 : content.count
        if order == ">", size > 1 {
            content = stride(from: 0, to: content.count, by: size).flatMap {
                content[$0..<min(content.count, $0 + size)].reversed()
            }
        }
        if code.first == "U" { return try numpyString(content) }
        guard code.dropFirst() == "\(content.count)", content.count <= 8 else { return nil }
        let bits = content.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        return switch (code.first, content.count) {
        case ("b", 1): .bool(bits != 0)
        case ("u", _): Int(exactly: bits).map { .integer($0) } ?? .largeInteger
        case ("i", 1): .integer(Int(Int8(truncatingIfNeeded: bits)))
        case ("i", 2): .integer(Int(Int16(truncatingIfNeeded: bits)))
        case ("i", 4): .integer(Int(Int32(truncatingIfNeeded: bits)))
        case ("i", 8): .integer(Int(Int64(bitPattern: bits)))
        case ("f", 2): .number(Double(HalfPrecision.float(fromBits: UInt16(bits))))
        case ("f", 4): .number(Double(Float(bitPattern: UInt32(bits))))
        case ("f", 8): .number(Double(bitPattern: bits))
        default: nil
        }
    }

    /// Decodes little-endian UTF-32 that is padded with zeros.
    private mutating func numpyString(_ content: [UInt8]) throws -> PickleNode? {
        guard content.count % 4 == 0 else { return nil }
        var text = String.UnicodeScalarView()
        for start in stride(from: 0, to: content.count, by: 4) {
            let value = content[start..<start + 4].reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            guard let scalar = Unicode.Scalar(value) else { return nil }
            text.append(scalar)
        }
        while text.last == "\0" { text.removeLast() }
        return .string(try add(String(text)))
    }
}
