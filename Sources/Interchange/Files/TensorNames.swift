import Platform

/// Hugging Face's names for the tensors of a file, whatever they were wrapped in when they were saved.
///
/// `module._orig_mod.transformer.wte.weight`, `transformer.wte._orig_mod.weight` and `wte.weight` all are
/// `transformer.wte.weight`.
struct TensorNames: Sendable {
    private static let prefix = "transformer."

    /// What wrappers add wherever they wrap: DataParallel and DistributedDataParallel, torch.compile, FSDP, activation
    /// checkpointing, Lightning Fabric.
    private static let wrappers: Set<Substring> = [
        "module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module",
    ]

    private let storedNames: [String: String]

    /// - Parameters:
    ///   - names: all of the file.
    ///   - path: of the file, for messages.
    /// - Throws: `UserError(.data)` when two names are the same without wrappers.
    init(_ names: [String], path: String) throws {
        var storedNames: [String: String] = [:]
        for name in names.sorted() {
            let plain = Self.unwrapped(name)
            if let other = storedNames.updateValue(name, forKey: plain) {
                throw UserError(.data, "\(path) has \(plain) twice, as \(other) and as \(name): keep one of them")
            }
        }
        if !storedNames.keys.contains(where: { $0.hasPrefix(Self.prefix) }) {
            // The transformer alone, or as OpenAI's storedNames upload. The head stands beside it, not in it.
            storedNames = Dictionary(
                uniqueKeysWithValues: storedNames.map {
                    ($0.key == OutputHead.headName ? $0.key : Self.prefix + $0.key, $0.value)
                }
            )
        }
        self.storedNames = storedNames
    }

    private static func unwrapped(_ name: String) -> String {
        name.split(separator: ".", omittingEmptySubsequences: false).filter { !wrappers.contains($0) }
            .joined(separator: ".")
    }

    /// All of Hugging Face's names that the file has something for.
    var all: some Collection<String> { storedNames.keys }

    /// The file's storedNames name; of a tensor that is missing, Hugging Face's.
    func callAsFunction(_ name: String) -> String { storedNames[name] ?? name }
}
