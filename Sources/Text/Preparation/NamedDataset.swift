/// The data sets that `prepare` makes by name.
public enum NamedDataset: String, CaseIterable, Sendable {
    case shakespeareChar = "shakespeare_char"
    case demo
}
