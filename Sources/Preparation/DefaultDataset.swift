import Datasets
import Platform

/// The dataset of a user who names none.
public enum DefaultDataset {
    /// The dataset that was found or prepared.
    public struct Choice: Sendable {
        /// As `Dataset.open` takes it.
        public let name: String
        /// What the user should know: which dataset it is, and why. Empty for a shakespeare_char that was there.
        public let explanation: String
    }

    /// The first that there is: prepared shakespeare_char; shakespeare_char from the cache or by download; the demo corpus,
    /// prepared where it is missing.
    ///
    /// - Throws: `UserError` when not even the demo corpus can be written.
    public static func find(
        dataFolder: String,
        cacheFolder: String? = nil,
        progress: @escaping (PreparationProgress) -> Void = { _ in }
    ) throws -> Choice {
        try find(dataFolder: dataFolder) { dataset in
            DataPreparation(
                request: PreparationRequest(dataset, dataFolder: dataFolder),
                cacheFolder: cacheFolder,
                progress: progress
            )
        }
    }

    static func find(
        dataFolder: String,
        preparation: (NamedDataset) -> DataPreparation
    ) throws -> Choice {
        // A folder alone is not enough: a checkout of nanoGPT has one with its preparing script.
        func isThere(_ dataset: NamedDataset) -> Bool {
            [DatasetDescription.fileName, "train.bin"].contains {
                FileSystem.kind(of: "\(dataFolder)/\(dataset.rawValue)/\($0)") != nil
            }
        }
        let shakespeare = NamedDataset.shakespeareChar.rawValue
        if isThere(.shakespeareChar) { return Choice(name: shakespeare, explanation: "") }
        let reason: String
        do {
            _ = try preparation(.shakespeareChar).run()
            return Choice(name: shakespeare, explanation: "prepared the data set \(shakespeare) in \(dataFolder)")
        } catch let error as UserError {
            reason = error.message
        }
        if !isThere(.demo) { _ = try preparation(.demo).run() }
        return Choice(
            name: DemoCorpus.name,
            explanation: "using the built-in demo corpus, as \(shakespeare) is not at hand (\(reason))"
        )
    }
}
