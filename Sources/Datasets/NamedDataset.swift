/// The datasets that `prepare` makes by name.
public enum NamedDataset: String, CaseIterable, Sendable {
    /// nanoGPT's: tiny shakespeare by characters.
    case shakespeareChar = "shakespeare_char"
    /// nanoGPT's: tiny shakespeare in GPT-2's tokens.
    case shakespeare
    /// Eight million web pages in GPT-2's tokens (Gokaslan and Cohen, 2019).
    case openwebtext
    /// Short stories by GPT-4 in GPT-2's tokens (Eldan and Li, 2023).
    case tinystories
    /// Ten billion of GPT-2's tokens of web pages (Penedo and others, 2024), in llm.c's shards.
    case fineweb
    case demo
}
