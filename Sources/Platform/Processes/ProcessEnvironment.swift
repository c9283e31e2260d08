/// The environment variables of this process.
public enum ProcessEnvironment {
    /// All variables by name. If a name occurs twice, its last value is used.
    public static var variables: [String: String] {
        var variables: [String: String] = [:]
        var next = list
        while let entry = next?.pointee {
            let text = String(cString: entry)
            if let sign = text.firstIndex(of: "=") {
                variables[String(text[..<sign])] = String(text[text.index(after: sign)...])
            }
            next = next.map { $0 + 1 }
        }
        return variables
    }

    /// The value of a variable, or nil if it is not set.
    public static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// C's null-terminated list of `NAME=VALUE`, which `setenv` changes.
    static var list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
        #if canImport(Darwin)
            _NSGetEnviron().pointee
        #else
            environ
        #endif
    }
}
