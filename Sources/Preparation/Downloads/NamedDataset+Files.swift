import Datasets

extension NamedDataset {
    /// The number of training shards of fineweb. Each has 100 million tokens.
    public static let fineWebShards = 103

    /// The files to download.
    var files: [PublicFile] {
        switch self {
        case .shakespeareChar, .shakespeare: [.tinyShakespeare]
        case .openwebtext: [.openWebText]
        case .tinystories: [.tinyStories(.train), .tinyStories(.validation)]
        case .fineweb: [.fineWeb(.validation)] + (1...Self.fineWebShards).map { .fineWeb(.train, $0) }
        case .demo: []
        }
    }

    /// The approximate size of the token files in bytes. A token of GPT-2 takes 2 bytes and stands for about 4 bytes of
    /// English text.
    var tokenBytes: Int {
        switch self {
        case .shakespeareChar: 2_230_000
        case .shakespeare: 676_000
        case .openwebtext: 18_100_000_000
        case .tinystories: 1_120_000_000
        case .fineweb, .demo: 0
        }
    }

    /// The default tokenizer, or nil for one that is built from the text.
    var tokenizer: TokenizerSource? {
        switch self {
        case .shakespeareChar, .demo: nil
        case .shakespeare, .openwebtext, .tinystories, .fineweb: .gpt2
        }
    }
}
