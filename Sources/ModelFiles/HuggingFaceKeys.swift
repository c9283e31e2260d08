import Formats
import Platform

/// The members of a `config.json`, each checked as it is read.
struct HuggingFaceKeys {
    let path: String
    let json: JSONValue

    /// - Throws: `UserError(.inputOutput)` when the file cannot be read, `UserError(.data)` when it is no JSON.
    init(path: String) throws {
        self.path = path
        json = try JSONValue(ofFile: path)
    }

    /// Nil where the key is not there.
    subscript(key: String) -> JSONValue? { json[key] }

    /// The error for a value that is not supported.
    func refusal(_ key: String, _ supported: String) -> UserError {
        let value = json[key]?.text() ?? "missing"
        return UserError(.data, "\(path): \(key) is \(value), only \(supported) is supported")
    }

    /// A switch of transformers; a file that leaves it out means the default.
    func isOn(_ key: String, byDefault value: Bool) throws -> Bool {
        guard let member = json[key] else { return value }
        guard let value = member.boolValue else { throw refusal(key, "true or false") }
        return value
    }

    /// A size that transformers knows by any of these names; where it stands twice, it is the same.
    func size(_ names: String...) throws -> Int {
        let present = names.filter { json[$0] != nil }
        let key = present.first ?? names[0]
        guard let value = json[key]?.integerValue, 1...(1 << 24) ~= value else {
            throw refusal(key, "a whole number from 1 to \(1 << 24)")
        }
        if let other = present.first(where: { json[$0] != .integer(value) }) {
            throw refusal(other, "the \(value) of \(key)")
        }
        return value
    }
}
