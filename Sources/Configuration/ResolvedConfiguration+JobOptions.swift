import Datasets

extension ResolvedConfiguration {
    /// The options that all ranks of a job must have in common, by name, with values as one would type them.
    public var jobOptions: [(name: String, value: String)] { jobOptions { _ in true } }

    /// Of `jobOptions`, those that ranks can compare before they have met. What a rank takes from a saved run, or from a dataset
    /// by a preset that suits it, is left out where the files may be missing on this machine and there on another.
    public var ownJobOptions: [(name: String, value: String)] {
        if values.initFrom == "resume" {
            let saved = SavedConfiguration.path(outDir: values.outDir)
            return jobOptions { key in
                if case .file(path: saved, line: _) = origin(of: key) { return false }
                return isExplicit(key)
            }
        }
        guard case .chosen = origin(of: \.preset), !isPresetCertain else { return jobOptions }
        return jobOptions { key in
            if case .preset = origin(of: key) { return false }
            return key.name != ConfigurationKey.of(\.preset).name
        }
    }

    /// Whether the preset that suits the dataset is the same on every machine that has the dataset.
    private var isPresetCertain: Bool {
        Preset.isKnown(forDataset: values.dataset)
            || (try? Dataset.open(folder: values.dataDir, name: values.dataset)) != nil
    }

    private func jobOptions(where isIncluded: (ConfigurationKey) -> Bool) -> [(name: String, value: String)] {
        ConfigurationKey.all.filter { $0.scope == .job && isIncluded($0) }
            .map { (name: $0.name, value: $0.argument(in: values)) }
    }
}
