import Formats
import Platform

/// The members of a `config.json`, with checks of their types and ranges.
struct HuggingFaceKeys {
    let path: String
    let json: JSONValue

    /// - Throws: `UserError(.inputOutput)` if the file cannot be read, `UserError(.data)` if it is not JSON.
    init(path: String) throws {
        self.path = path
        json = try JSONValue(ofFile: path)
    }

    subscript(key: String) -> JSONValue? { json[key] }

    /// Returns the error for a value that is not supported.
    func refusal(_ key: String, _ supported: String) -> UserError {
        let value = json[key]?.text() ?? "missing"
        return UserError(.data, "\(path): \(key) is \(value), but only \(supported) is supported")
    }

    /// Returns the value of a Boolean key, or the default of transformers if the key is missing.
    func isOn(_ key: String, byDefault value: Bool) throws -> Bool {
        guard let member = json[key] else { return value }
        guard let value = member.boolValue else { throw refusal(key, "true or false") }
        return value
    }

    /// Returns a size for which transformers accepts several names. If the file has more than one of them, their values
    /// must be equal.
    func size(_ names: String...) throws -> Int {
        let present = names.filter { json[$0] != nil }
        let key = present.first ?? names[0]
        guard let value = json[key]?.integerValue, 1...(1 << 24) ~= value else {
            throw refusal(key, "a whole number from 1 to \(1 << 24)")
        }
        if let other = present.first(where: { json[$0] != .integer(value) }) {
            throw refusal(other, "\(value), the value of \(key),")
        }
        return value
    }
}
