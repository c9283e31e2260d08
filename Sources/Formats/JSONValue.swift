import Platform

/// A JSON document (RFC 8259) whose objects keep the order of their members.
///
/// Foundation's parsers drop the order and the second of two members with one name; the formats read here need both.
public enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// A number written without fraction or exponent that fits 64 bits.
    case integer(Int)
    /// Any other number; a finite one, if it is to be written.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// A name of an object with its value.
    public struct Member: Equatable, Sendable {
        /// Without quotes or escapes.
        public let name: String
        /// Of any kind.
        public let value: JSONValue

        /// For objects that are written; that names are distinct is not checked.
        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// A member of an object by name (a linear search), nil for other values and missing members.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// Nil for anything but a string.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// Nil for anything but a whole number of 64 bits.
    public var integerValue: Int? {
        if case .integer(let value) = self { value } else { nil }
    }

    /// Of any number, whole or not.
    public var numberValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// Nil for anything but true and false.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// Nil for anything but an array.
    public var arrayValue: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members in their order; nil for anything but an object.
    public var objectValue: [Member]? {
        if case .object(let value) = self { value } else { nil }
    }
}

// MARK: - Writing

extension JSONValue {
    /// The document as text: on one line, or with a line a member and two spaces a level.
    public func text(pretty: Bool = false) -> String {
        var output = ""
        write(to: &output, Layout(indentation: pretty ? "\n" : nil, space: pretty ? " " : ""))
        if pretty { output += "\n" }
        return output
    }

    /// An object as text with a line per member; lists and objects within it stay on that line.
    ///
    /// - Precondition: the value is an object.
    public func textWithLinePerMember() -> String {
        guard case .object(let members) = self else { preconditionFailure("\(self) is not an object") }
        let lines = members.map { member in
            var line = "  "
            Self.write(member.name, to: &line)
            line += ": "
            member.value.write(to: &line, Layout(indentation: nil, space: " "))
            return line
        }
        return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
    }

    private struct Layout {
        /// A line break and the spaces of the level; nil for everything on one line.
        var indentation: String?
        /// What stands after a colon, and after a comma where the line goes on.
        var space: String

        var inner: Layout { Layout(indentation: indentation.map { $0 + "  " }, space: space) }
    }

    private func write(to output: inout String, _ layout: Layout) {
        switch self {
        case .null: output += "null"
        case .bool(let value): output += value ? "true" : "false"
        case .integer(let value): output += String(value)
        case .number(let value):
            precondition(value.isFinite, "JSON has no \(value)")
            output += "\(value)"
        case .string(let value): Self.write(value, to: &output)
        case .array(let values):
            Self.writeList(values, ("[", "]"), to: &output, layout) { value, output, inner in
                value.write(to: &output, inner)
            }
        case .object(let members):
            Self.writeList(members, ("{", "}"), to: &output, layout) { member, output, inner in
                Self.write(member.name, to: &output)
                output += ":" + inner.space
                member.value.write(to: &output, inner)
            }
        }
    }

    private static func writeList<Element>(
        _ elements: [Element],
        _ brackets: (String, String),
        to output: inout String,
        _ layout: Layout,
        write: (Element, inout String, Layout) -> Void
    ) {
        let inner = layout.inner
        output += brackets.0
        for (index, element) in elements.enumerated() {
            if index > 0 { output += "," }
            output += inner.indentation ?? (index > 0 ? inner.space : "")
            write(element, &output, inner)
        }
        if let indentation = layout.indentation, !elements.isEmpty { output += indentation }
        output += brackets.1
    }

    private static func write(_ string: String, to output: inout String) {
        output += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": output += "\\\""
            case "\\": output += "\\\\"
            case "\n": output += "\\n"
            case "\r": output += "\\r"
            case "\t": output += "\\t"
            case let control where control.value < 0x20:
                output += "\\u" + String(control.value, radix: 16).zeroPadded(to: 4)
            default: output.unicodeScalars.append(scalar)
            }
        }
        output += "\""
    }
}
