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

    /// The demo corpus, prepared where it is missing: it needs no other file.
    ///
    /// - Throws: `UserError` when it cannot be written.
    public static func demo(
        dataFolder: String,
        progress: @escaping (PreparationProgress) -> Void = { _ in }
    ) throws -> Choice {
        guard !exists(.demo, in: dataFolder) else { return Choice(name: DemoCorpus.name, explanation: "") }
        _ = try DataPreparation.run(PreparationRequest(.demo, dataFolder: dataFolder), progress: progress)
        return Choice(name: DemoCorpus.name, explanation: "prepared the dataset \(DemoCorpus.name) in \(dataFolder)")
    }

    private static func exists(_ dataset: NamedDataset, in dataFolder: String) -> Bool {
        // A folder alone is not enough: a checkout of nanoGPT has one with its preparing script.
        [DatasetDescription.fileName, "train.bin"].contains {
            FileSystem.kind(of: "\(dataFolder)/\(dataset.rawValue)/\($0)") != nil
        }
    }

    static func find(
        dataFolder: String,
        preparation: (NamedDataset) -> DataPreparation
    ) throws -> Choice {
        let shakespeare = NamedDataset.shakespeareChar.rawValue
        if exists(.shakespeareChar, in: dataFolder) { return Choice(name: shakespeare, explanation: "") }
        let reason: String
        do {
            _ = try preparation(.shakespeareChar).run()
            return Choice(name: shakespeare, explanation: "prepared the data set \(shakespeare) in \(dataFolder)")
        } catch let error as UserError {
            reason = error.message
        }
        if !exists(.demo, in: dataFolder) { _ = try preparation(.demo).run() }
        return Choice(
            name: DemoCorpus.name,
            explanation: "using the built-in demo corpus, as \(shakespeare) is not at hand (\(reason))"
        )
    }
}
