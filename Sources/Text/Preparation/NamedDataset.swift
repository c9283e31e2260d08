import Formats

/// The data sets that `prepare` makes by name.
public enum NamedDataset: String, CaseIterable, Sendable {
    /// nanoGPT's: tiny shakespeare by characters.
    case shakespeareChar = "shakespeare_char"
    /// nanoGPT's: tiny shakespeare in GPT-2's tokens.
    case shakespeare
    /// Eight million web pages in GPT-2's tokens (Gokaslan and Cohen, 2019).
    case openwebtext
    /// Short stories by GPT-4 in GPT-2's tokens (Eldan and Li, 2023).
    case tinystories
    case demo

    /// What is downloaded unless it is there already.
    var files: [PublicFile] {
        switch self {
        case .shakespeareChar, .shakespeare: [.tinyShakespeare]
        case .openwebtext: [.openWebText]
        case .tinystories: [.tinyStories(.train), .tinyStories(.validation)]
        case .demo: []
        }
    }

    /// Bytes of the tokens of the published files, about: GPT-2's have two bytes and stand for some four of English text.
    var tokenBytes: Int {
        switch self {
        case .shakespeareChar: 2_230_000
        case .shakespeare: 676_000
        case .openwebtext: 18_100_000_000
        case .tinystories: 1_120_000_000
        case .demo: 0
        }
    }

    /// What its tokens are, unless the user says otherwise.
    var tokenizer: TokenizerSource? {
        switch self {
        case .shakespeareChar, .demo: nil
        case .shakespeare, .openwebtext, .tinystories: .gpt2
        }
    }
}
