import Formats
import Platform

/// Typed access to the members of a JSON object, with errors that name file and member.
struct JSONReader {
    let json: JSONValue
    let path: String

    init(_ json: JSONValue, path: String) {
        self.json = json
        self.path = path
    }

    func integer(_ name: String) throws -> Int { try value(name, "a whole number") { $0.integerValue } }
    func string(_ name: String) throws -> String { try value(name, "a string") { $0.stringValue } }
    func bool(_ name: String) throws -> Bool { try value(name, "true or false") { $0.boolValue } }
    func number(_ name: String) throws -> Double { try value(name, "a number") { $0.numberValue } }

    func optionalNumber(_ name: String) throws -> Double? {
        json[name] == .null ? nil : try number(name)
    }

    func object(_ name: String) throws -> JSONReader {
        JSONReader(try value(name, "an object") { $0.objectValue == nil ? nil : $0 }, path: path)
    }

    func strings(_ name: String) throws -> [String: String] {
        try value(name, "an object of strings") { value in
            guard let members = value.objectValue else { return nil }
            var result: [String: String] = [:]
            for member in members {
                guard let text = member.value.stringValue else { return nil }
                result[member.name] = text
            }
            return result
        }
    }

    private func value<Value>(_ name: String, _ what: String, _ read: (JSONValue) -> Value?) throws -> Value {
        guard let member = json[name] else { throw UserError(.data, "\(path) has no \(name)") }
        guard let value = read(member) else { throw UserError(.data, "\(path): \(name) is not \(what)") }
        return value
    }
}
