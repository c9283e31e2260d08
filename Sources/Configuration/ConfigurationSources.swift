import Platform

/// A key with the text that sets it, and where that stands.
struct ConfigurationSetting: Sendable {
    let key: ConfigurationKey
    let text: String
    let origin: ConfigurationOrigin
}

/// What a user gave to configure a run: files, and options on the command line.
///
/// Precedence: built-in defaults < preset < files in their order < command line. A run that is resumed brings its own
/// `config.toml`, which counts as the first file.
public struct ConfigurationSources: Sendable {
    /// Paths of configuration files, in their order.
    public var files: [String]
    /// Names with values as they were typed.
    public var options: [(name: String, value: String)]

    /// Nothing is read or checked before `resolve`.
    public init(files: [String] = [], options: [(name: String, value: String)] = []) {
        self.files = files
        self.options = options
    }

    /// Puts the sources together and checks the result.
    ///
    /// Unless a source names a preset, nanoGPT's own configuration files (`.py`) start from nanoGPT's defaults, and
    /// everything else from the preset that suits the dataset.
    ///
    /// - Parameters:
    ///   - resumed: text of the `config.toml` of a run that is resumed; nil reads it in `out_dir`.
    ///   - presetForDataset: the preset that suits a dataset, from (data_dir, dataset).
    /// - Throws: `UserError` of kind `usage` for an unknown key, or a value that is not allowed, naming its origin.
    public func resolve(
        resumed: String? = nil,
        presetForDataset: (_ dataDir: String, _ dataset: String) -> Preset = { _, _ in .baby }
    ) throws -> ResolvedConfiguration {
        let contents = try files.map { try ConfigurationFile.content(path: $0) }
        var settings = contents.flatMap(\.settings)
        settings += try options.map { option in
            guard let key = ConfigurationKey.named(option.name) else {
                let hint = NearestName.hint(for: option.name, among: ConfigurationKey.all.map(\.name), prefix: "--")
                throw UserError(.usage, "unknown option --\(option.name)\(hint)")
            }
            return ConfigurationSetting(key: key, text: option.value, origin: .commandLine)
        }
        // First without a preset, to see what the user named.
        var given = ResolvedConfiguration()
        for setting in settings { try given.apply(setting) }
        if given.values.initFrom == "resume" {
            settings = try savedSettings(resumed, outDir: given.values.outDir) + settings
            for setting in settings { try given.apply(setting) }
        }

        var resolved = ResolvedConfiguration()
        if given.isExplicit(\.preset) {
            resolved.apply(given.values.preset)
        } else if let file = files.last(where: { $0.hasSuffix(".py") }) {
            resolved.apply(.none)
            resolved.choose("as \(file) expects", \.preset, .none)
        } else {
            let preset = presetForDataset(given.values.dataDir, given.values.dataset)
            resolved.apply(preset)
            resolved.choose("suits data set \(given.values.dataset)", \.preset, preset)
        }
        for setting in settings { try resolved.apply(setting) }
        resolved.fileNotices = contents.flatMap(\.notices)
        try resolved.validate()
        return resolved
    }

    /// What the run in `outDir` was configured with: a resume needs no option repeated.
    private func savedSettings(_ text: String?, outDir: String) throws -> [ConfigurationSetting] {
        let path = SavedConfiguration.path(outDir: outDir)
        let content: ConfigurationFile.Content
        if let text {
            content = try ConfigurationFile.content(text: text, path: path)
        } else {
            guard FileSystem.kind(of: path) == .file else { return [] }
            content = try ConfigurationFile.content(path: path)
        }
        return content.settings.filter {
            $0.key.field != \TrainingConfiguration.outDir && $0.key.field != \TrainingConfiguration.initFrom
        }
    }
}
