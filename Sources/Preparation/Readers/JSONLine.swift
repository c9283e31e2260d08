import Formats
import Platform

/// A line of JSONL: one object, a field of which is a document.
enum JSONLine {
    /// The text of a field.
    ///
    /// - Parameters:
    ///   - origin: what the line was read from.
    ///   - offset: the byte it starts at.
    /// - Throws: `UserError(.data)` naming both, when the line is no object, or has no such field, or that is no string.
    static func text(of line: UnsafeRawBufferPointer, field: String, origin: String, offset: Int) throws -> String {
        let object: JSONValue
        do {
            object = try JSONValue(parsing: line)
        } catch let error as JSONError {
            throw UserError(.data, "\(origin): the line at byte \(offset) is not JSON: \(error)")
        }
        guard let members = object.objectValue else {
            throw UserError(.data, "\(origin): the line at byte \(offset) is no JSON object")
        }
        guard let value = object[field] else {
            let names = members.prefix(8).map(\.name).joined(separator: ", ")
            throw UserError(
                .data,
                """
                \(origin): the line at byte \(offset) has no field \(field)\(names.isEmpty ? "" : ", but \(names)"): name \
                the one that is the text with --field
                """
            )
        }
        guard let text = value.stringValue else {
            throw UserError(.data, "\(origin): the line at byte \(offset): its field \(field) is no string")
        }
        return text
    }
}
