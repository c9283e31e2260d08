import Datasets
import Platform

extension Preset {
    /// Characters of tiny shakespeare.
    public static let characterVocabularySize = 65

    /// Different tokens of the data that this preset is meant for: those characters, or GPT-2's tokens as nanoGPT pads
    /// them.
    public var vocabularySize: Int {
        switch self {
        case .baby, .char, .tiny, .small, .medium: Self.characterVocabularySize
        case .large, .gpt2, .gpt2Medium, .none: Dataset.defaultVocabularySize
        }
    }

    /// The preset that suits a dataset: GPT-2's for its tokens, the CPU form for characters, bytes and smaller vocabularies.
    ///
    /// Of a dataset that is not there, the name decides.
    public static func suiting(dataDir: String, dataset: String) -> Preset {
        let isCharacters = isKnown(forDataset: dataset)
        guard !isCharacters, FileSystem.kind(of: dataDir + "/" + dataset) == .folder else {
            return isCharacters || NamedDataset(rawValue: dataset) == nil ? .baby : .gpt2
        }
        // What is wrong with a dataset is said when it is opened to be used.
        guard let opened = try? Dataset.open(folder: dataDir, name: dataset) else { return .baby }
        return opened.tokenizer == nil || opened.vocabularySize >= Dataset.gpt2VocabularySize ? .gpt2 : .baby
    }

    /// Whether the name of a dataset alone decides which preset suits it.
    static func isKnown(forDataset dataset: String) -> Bool {
        [NamedDataset.shakespeareChar, .demo].contains { $0.rawValue == dataset }
    }
}
