import Datasets
import Platform

/// Chooses the dataset when the user names none.
public enum DefaultDataset {
    /// The dataset that was found or prepared.
    public struct Choice: Sendable {
        /// The name of the dataset, for `Dataset.open`.
        public let name: String
        /// A message that says which dataset is used and why. Empty if the dataset already existed.
        public let explanation: String
    }

    /// Returns the first dataset that is available. Tries an existing shakespeare_char, then prepares shakespeare_char
    /// from the cache or a download, then uses the demo corpus, which is prepared if it does not exist.
    ///
    /// - Parameters:
    ///   - dataFolder: The folder of all datasets.
    ///   - cacheFolder: The folder for downloads, or nil for `CacheFolder.path()`.
    ///   - progress: Called while a dataset is prepared.
    /// - Throws: `UserError` if the demo corpus cannot be written.
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

    /// Returns the demo corpus, and prepares it if it does not exist. It needs no input files.
    ///
    /// - Parameters:
    ///   - dataFolder: The folder of all datasets.
    ///   - progress: Called while the dataset is prepared.
    /// - Throws: `UserError` if the dataset cannot be written.
    public static func demo(
        dataFolder: String,
        progress: @escaping (PreparationProgress) -> Void = { _ in }
    ) throws -> Choice {
        guard !exists(.demo, in: dataFolder) else { return Choice(name: DemoCorpus.name, explanation: "") }
        _ = try DataPreparation.run(PreparationRequest(.demo, dataFolder: dataFolder), progress: progress)
        return Choice(name: DemoCorpus.name, explanation: "prepared the dataset \(DemoCorpus.name) in \(dataFolder)")
    }

    private static func exists(_ dataset: NamedDataset, in dataFolder: String) -> Bool {
        // A folder alone is not enough: a checkout of nanoGPT has a folder of this name with only prepare.py and a
        // readme.
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
            return Choice(name: shakespeare, explanation: "prepared the dataset \(shakespeare) in \(dataFolder)")
        } catch let error as UserError {
            reason = error.message
        }
        if !exists(.demo, in: dataFolder) { _ = try preparation(.demo).run() }
        return Choice(
            name: DemoCorpus.name,
            explanation: "using the built-in demo corpus, because \(shakespeare) is not available (\(reason))"
        )
    }
}
