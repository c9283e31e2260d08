// What differs from GPT-2, by the names that options and files have for it.
extension GPTConfiguration {
    /// Every such setting by its name.
    public static let variantNames = variants.map(\.name)

    /// The settings that differ from GPT-2's, by name, as text.
    public var variantChanges: [(name: String, value: String)] {
        Self.variants.filter { $0.read(self) != $0.usual }.map { ($0.name, $0.read(self)) }
    }

    /// The same without those that compute what GPT-2 does, another way.
    public var otherModel: [(name: String, value: String)] { variantChanges.filter { $0.name != "attention" } }

    /// The value of a setting as text.
    ///
    /// - Precondition: the name is one of `variantNames`.
    public func variant(_ name: String) -> String { Self.variants.first { $0.name == name }!.read(self) }

    /// Sets a setting from its text; false when there is no such setting or it cannot have that value.
    public mutating func setVariant(_ name: String, to value: String) -> Bool {
        Self.variants.first { $0.name == name }?.write(&self, value) ?? false
    }

    /// Takes all settings from another configuration.
    public mutating func takeVariants(from other: GPTConfiguration) {
        for variant in Self.variants { _ = variant.write(&self, variant.read(other)) }
    }

    private struct Variant: Sendable {
        let name: String
        /// GPT-2's.
        let usual: String
        let read: @Sendable (GPTConfiguration) -> String
        let write: @Sendable (inout GPTConfiguration, String) -> Bool

        init<Value: Sendable>(
            _ name: String,
            _ path: WritableKeyPath<GPTConfiguration, Value> & Sendable,
            text: @escaping @Sendable (Value) -> String = { "\($0)" },
            value: @escaping @Sendable (String) -> Value?
        ) {
            self.name = name
            read = { text($0[keyPath: path]) }
            write = { configuration, text in
                guard let value = value(text) else { return false }
                configuration[keyPath: path] = value
                return true
            }
            usual = read(
                GPTConfiguration(layerCount: 1, headCount: 1, embeddingSize: 1, blockSize: 1, vocabularySize: 1)
            )
        }

        init<Value: RawRepresentable<String> & Sendable>(
            choice name: String,
            _ path: WritableKeyPath<GPTConfiguration, Value> & Sendable
        ) {
            self.init(name, path, text: { $0.rawValue }, value: { Value(rawValue: $0) })
        }
    }

    private static let variants: [Variant] = [
        Variant("causal_mask", \.ablations.causalMask, value: { Bool($0) }),
        Variant("attention_window", \.ablations.attentionWindow, value: { Int($0).flatMap { $0 >= 0 ? $0 : nil } }),
        Variant("attention_sinks", \.ablations.attentionSinks, value: { Int($0).flatMap { $0 >= 0 ? $0 : nil } }),
        Variant(
            "attention_temperature",
            \.ablations.attentionTemperature,
            value: { Double($0).flatMap { $0 > 0 && $0.isFinite ? $0 : nil } }
        ),
        Variant(choice: "attention", \.ablations.attention),
        Variant(choice: "position_embedding", \.attention.positions),
        Variant(choice: "residual", \.ablations.residual),
        Variant(choice: "norm", \.norm.kind),
        Variant(choice: "norm_position", \.norm.place),
        Variant("tied_head", \.tiedHead, value: { Bool($0) }),
        Variant(
            "ablate_heads",
            \.ablations.removedHeads,
            text: { $0.map(\.description).joined(separator: ",") },
            value: { HeadName.list($0) }
        ),
    ]

    /// Why there can be no such model, if there can be none: the names of the options that do not go together, and a sentence about
    /// them.
    public var conflict: (names: [String], reason: String)? {
        if ablations.attentionSinks > 0 && ablations.attentionWindow == 0 {
            return (["attention_sinks"], "without attention_window every position is seen anyway")
        }
        if attention.positions == .rotary && headSize % 2 == 1 {
            return (
                ["position_embedding", "n_embd", "n_head"], "rotary turns pairs, and a head has \(headSize) features"
            )
        }
        if norm.kind == .none && norm.place == .post {
            return (["norm", "norm_position"], "without a norm it has no position")
        }
        if let head = ablations.removedHeads.first(where: { $0.layer >= layerCount || $0.head >= headCount }) {
            let last = HeadName(layer: layerCount - 1, head: headCount - 1)
            return (["ablate_heads"], "there is no head \(head); they are 0.0 to \(last)")
        }
        return nil
    }
}

// Parts of the shape by the names that GPT-2 has for them.
extension GPTConfiguration {
    /// H, query heads of each layer.
    public var headCount: Int { attention.headCount }

    /// D, features of a head.
    public var headSize: Int { attention.headSize }

    /// f of the feed-forward halves.
    public var activation: Activation {
        get { feedForward.activation }
        set { feedForward.activation = newValue }
    }

    /// nanoGPT's count of floating-point operations for one token, forward and backward: `6 N + 12 L H D T`, N without the
    /// position embeddings.
    public var operationsPerToken: Double {
        let layout = ParameterLayout(self)
        let counted = layout.count - layout.positionEmbedding.count
        return 6 * Double(counted) + 12 * Double(layerCount * headCount * headSize * blockSize)
    }
}
