import Configuration

extension ConfigurationKey {
    /// A value that is allowed and is not the default, as one would type it; nil for an option with one value only.
    public var otherArgument: String? {
        switch kind {
        case .integer: "3"
        case .number: "0.123"
        case .boolean: defaultArgument == "true" ? "false" : "true"
        case .text: allowed.hasPrefix("heads") ? "0.1" : "other"
        case .path: "other"
        case .choice(let choices): choices.first { $0 != defaultArgument }
        }
    }
}
