extension TokenFile {
    /// The type of the ids, by its name in dataset.json.
    public enum ElementType: String, CaseIterable, Sendable {
        case uint16, uint32

        var byteCount: Int { self == .uint16 ? 2 : 4 }
    }
}
