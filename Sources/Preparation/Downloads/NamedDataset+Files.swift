import Datasets

extension NamedDataset {
    /// The shards of fineweb for training, of 100 million tokens each.
    public static let fineWebShards = 103

    /// What is downloaded unless it is there already.
    var files: [PublicFile] {
        switch self {
        case .shakespeareChar, .shakespeare: [.tinyShakespeare]
        case .openwebtext: [.openWebText]
        case .tinystories: [.tinyStories(.train), .tinyStories(.validation)]
        case .fineweb: [.fineWeb(.validation)] + (1...Self.fineWebShards).map { .fineWeb(.train, $0) }
        case .demo: []
        }
    }

    /// Bytes of tokens that are written, about: GPT-2's have two bytes and stand for some four of English text.
    var tokenBytes: Int {
        switch self {
        case .shakespeareChar: 2_230_000
        case .shakespeare: 676_000
        case .openwebtext: 18_100_000_000
        case .tinystories: 1_120_000_000
        case .fineweb, .demo: 0
        }
    }

    /// What its tokens are, unless the user says otherwise.
    var tokenizer: TokenizerSource? {
        switch self {
        case .shakespeareChar, .demo: nil
        case .shakespeare, .openwebtext, .tinystories, .fineweb: .gpt2
        }
    }
}
