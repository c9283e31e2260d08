import Formats
import Text

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

    /// The preset that suits a data set: the CPU form for characters and bytes, GPT-2's for BPE data.
    ///
    /// Of a data set that is not there, the name decides.
    public static func suiting(dataDir: String, dataset: String) -> Preset {
        let isKnown = NamedDataset(rawValue: dataset) != nil
        guard !isKnown, FileSystem.kind(of: dataDir + "/" + dataset) == .folder else {
            // The names of nanoGPT's BPE data sets.
            return ["openwebtext", "shakespeare"].contains(dataset) ? .gpt2 : .baby
        }
        // What is wrong with a data set is said when it is opened to be used.
        guard let opened = try? Dataset.open(folder: dataDir, name: dataset) else { return .baby }
        return opened.tokenizer == nil ? .gpt2 : .baby
    }
}
