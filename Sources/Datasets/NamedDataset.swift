/// The datasets that `ddp-train prepare` knows by name.
public enum NamedDataset: String, CaseIterable, Sendable {
    /// nanoGPT's dataset: Tiny Shakespeare in character tokens.
    case shakespeareChar = "shakespeare_char"
    /// nanoGPT's dataset: Tiny Shakespeare in GPT-2 tokens.
    case shakespeare
    /// Eight million web pages in GPT-2 tokens (Gokaslan and Cohen, 2019).
    case openwebtext
    /// Short stories by GPT-4 in GPT-2 tokens (Eldan and Li, 2023).
    case tinystories
    /// Ten billion GPT-2 tokens of web pages (Penedo and others, 2024), in shards as llm.c writes them.
    case fineweb
    /// The generated text of `DemoCorpus`.
    case demo
}
