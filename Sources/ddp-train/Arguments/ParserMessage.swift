/// What the argument parser found wrong, in the form of this program's own errors: the value and the mend, on one line.
enum ParserMessage {
    static func text(_ message: String) -> String {
        let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
        if let found = line.firstMatch(
            of: /^The value '(.*)' is invalid for '--([a-z_]+).*?'\. Please provide one of (.*)$/
        ) {
            return "\(found.2)=\(found.1): must be \(choices(found.3))"
        }
        if let found = line.firstMatch(of: /^Missing expected argument '(?:--([a-z_]+) )?<([a-z_]+)>.*'$/) {
            return found.1.map { "--\($0)=<\(found.2)> is missing" } ?? "<\(found.2)> is missing"
        }
        // Sentences of others begin with a capital; what follows "error: " does not.
        return line.prefix(1).lowercased() + line.dropFirst()
    }

    /// `a, b or c` of what is quoted, or listed with dashes.
    private static func choices(_ list: Substring) -> String {
        let quoted = list.matches(of: /'([^']+)'/).map { String($0.1) }
        let names = quoted.isEmpty ? list.matches(of: /- (\S+)/).map { String($0.1) } : quoted
        guard let last = names.last, names.count > 1 else { return names.first ?? String(list) }
        return names.dropLast().joined(separator: ", ") + " or " + last
    }
}
