import Platform

/// Maps Hugging Face's tensor names to the names in a file, which can have the prefixes of wrappers.
///
/// For example, `module._orig_mod.transformer.wte.weight`, `transformer.wte._orig_mod.weight` and `wte.weight` all
/// stand for `transformer.wte.weight`.
struct TensorNames: Sendable {
    private static let prefix = "transformer."

    /// The name components that wrappers add: DataParallel and DistributedDataParallel, torch.compile, FSDP, activation
    /// checkpointing, Lightning Fabric.
    private static let wrappers: Set<Substring> = [
        "module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module",
    ]

    /// The name in the file by Hugging Face name.
    private let storedNames: [String: String]

    /// - Parameters:
    ///   - names: The names of all tensors in the file.
    ///   - path: The path of the file, for messages.
    /// - Throws: `UserError(.data)` if two names are equal without wrappers.
    init(_ names: [String], path: String) throws {
        var storedNames: [String: String] = [:]
        for name in names.sorted() {
            let plain = Self.unwrapped(name)
            if let other = storedNames.updateValue(name, forKey: plain) {
                throw UserError(.data, "\(path) has \(plain) twice, as \(other) and as \(name); keep only one of them")
            }
        }
        if !storedNames.keys.contains(where: { $0.hasPrefix(Self.prefix) }) {
            // The file has only the inner transformer, as in OpenAI's upload. The output head is not part of it, so its
            // name has no prefix.
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

    /// The Hugging Face names of all tensors in the file.
    var all: some Collection<String> { storedNames.keys }

    /// Returns the name in the file, or `name` itself if the tensor is missing.
    func callAsFunction(_ name: String) -> String { storedNames[name] ?? name }
}
