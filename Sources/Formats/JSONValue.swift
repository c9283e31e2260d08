import Platform

/// A JSON document (RFC 8259) that keeps the order of object members.
///
/// Foundation's parsers lose the order and do not report duplicate names; the formats read here need both.
public enum JSONValue: Equatable, Sendable {
    case null
    case bool(Bool)
    /// A number without fraction or exponent that fits in 64 bits.
    case integer(Int)
    /// Any other number. It must be finite to be written.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object([Member])

    /// A name and value of an object.
    public struct Member: Equatable, Sendable {
        /// The name, without quotes or escapes.
        public let name: String
        /// The value, of any kind.
        public let value: JSONValue

        /// Creates a member. Nothing checks that the names of an object are distinct.
        public init(_ name: String, _ value: JSONValue) {
            self.name = name
            self.value = value
        }
    }

    /// The value of an object's member, found by linear search; nil if the member is missing or this is not an object.
    public subscript(name: String) -> JSONValue? {
        guard case .object(let members) = self else { return nil }
        return members.first { $0.name == name }?.value
    }

    /// The string; nil if this is not a string.
    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    /// The integer; nil if this is not an integer of 64 bits.
    public var integerValue: Int? {
        if case .integer(let value) = self { value } else { nil }
    }

    /// The number, whether integer or not; nil if this is not a number.
    public var numberValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    /// The Boolean; nil if this is not a Boolean.
    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The elements; nil if this is not an array.
    public var arrayValue: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    /// The members in order; nil if this is not an object.
    public var objectValue: [Member]? {
        if case .object(let value) = self { value } else { nil }
    }
}

// MARK: - Writing

extension JSONValue {
    /// Returns the document as text. `pretty` puts each member and element on its own line, indented by two spaces per
    /// level.
    public func text(pretty: Bool = false) -> String {
        var output = ""
        write(to: &output, Layout(indentation: pretty ? "\n" : nil, space: pretty ? " " : ""))
        if pretty { output += "\n" }
        return output
    }

    /// Returns an object as text with one line per member. Arrays and objects inside a member stay on its line.
    public func textWithLinePerMember() -> String {
        guard case .object(let members) = self else {
            preconditionFailure("textWithLinePerMember needs an object, not \(self)")
        }
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
        /// A line break and the indentation of the level; nil to keep everything on one line.
        var indentation: String?
        /// The space after a colon, and after a comma within a line.
        var space: String

        var inner: Layout { Layout(indentation: indentation.map { $0 + "  " }, space: space) }
    }

    private func write(to output: inout String, _ layout: Layout) {
        switch self {
        case .null: output += "null"
        case .bool(let value): output += value ? "true" : "false"
        case .integer(let value): output += String(value)
        case .number(let value):
            precondition(value.isFinite, "JSON cannot represent \(value)")
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
