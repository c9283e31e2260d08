extension ConfigurationValue {
    /// The functions that files may use.
    static let functions: Set = ["int", "float", "str", "bool", "min", "max", "abs", "round", "os.path.join"]

    /// What Python's function of this name gives.
    ///
    /// - Throws: `ConfigurationRefusal` where Python fails, and for the forms that are not computed here.
    static func calling(_ name: String, _ values: [Self]) throws(ConfigurationRefusal) -> Self {
        switch name {
        case "min", "max": return try extreme(values) { name == "min" ? $0 < $1 : $0 > $1 }
        case "os.path.join": return .text(try joinedPath(values))
        default: break
        }
        guard values.count == 1 else { throw ConfigurationRefusal("\(name)() takes one value here") }
        let value = values[0]
        switch name {
        case "str": return .text(value.pythonText)
        case "bool": return .boolean(value.isTrue)
        case "int": return try value.whole(.towardZero)
        case "float": return .number(try value.asFloat())
        case "abs":
            return try value.asNumber.map { $0 < 0 } == true
                ? combine(.integer(0), "-", value) : combine(value, "+", .integer(0))
        default:
            if case .text = value { throw ConfigurationRefusal("round() takes a number") }
            return try value.whole(.toNearestOrEven)
        }
    }

    private static func extreme(
        _ values: [Self],
        _ isBetter: (Double, Double) -> Bool
    ) throws(ConfigurationRefusal) -> Self {
        guard var best = values.first, values.allSatisfy({ $0.asNumber != nil }) else {
            throw ConfigurationRefusal("min() and max() take numbers here")
        }
        for value in values where isBetter(value.asNumber!, best.asNumber!) { best = value }
        return best
    }

    private static func joinedPath(_ values: [Self]) throws(ConfigurationRefusal) -> String {
        var path = ""
        for value in values {
            guard case .text(let part) = value else { throw ConfigurationRefusal("os.path.join() takes texts") }
            let isAlone = part.hasPrefix("/") || path.isEmpty
            path = isAlone ? part : try joined(path.hasSuffix("/") ? path : path + "/", part)
        }
        return path
    }

    private func whole(_ rule: FloatingPointRoundingRule) throws(ConfigurationRefusal) -> Self {
        switch self {
        case .integer: return self
        case .boolean(let value): return .integer(value ? 1 : 0)
        case .number(let value):
            guard let whole = Int(exactly: value.rounded(rule)) else {
                throw ConfigurationRefusal("\(value) does not fit 64 bits")
            }
            return .integer(whole)
        case .text(let text):
            guard let whole = Int(text.trimmingSpaces()) else {
                throw ConfigurationRefusal("int() of \(ConfigurationLiteral.quote(text)) is no number")
            }
            return .integer(whole)
        case .none: throw ConfigurationRefusal("None is no number")
        }
    }

    private func asFloat() throws(ConfigurationRefusal) -> Double {
        if case .text(let text) = self, !text.contains("*"), let number = ConfigurationLiteral.number(text) {
            return number
        }
        guard let number = asNumber else { throw ConfigurationRefusal("float() of \(literal) is no number") }
        return number
    }
}
