// What differs from GPT-2, by the names that options and files have for it.
extension GPTConfiguration {
    /// The names of the settings that options change.
    package static let variantNames = options.map(\.name)

    /// The settings that differ from those of a GPT-2 of this size, by name, as text.
    public var variantChanges: [(name: String, value: String)] {
        let gpt2 = GPTConfiguration(
            layerCount: layerCount,
            headCount: headCount,
            embeddingSize: embeddingSize,
            blockSize: blockSize,
            vocabularySize: vocabularySize
        )
        return Self.variants.filter { $0.read(self) != $0.read(gpt2) }.map { ($0.name, $0.read(self)) }
    }

    /// The same without those that compute what GPT-2 does, another way.
    public var architectureChanges: [(name: String, value: String)] { variantChanges.filter { $0.name != "attention" } }

    /// Sets a setting from its text; false when there is no such setting or it cannot have that value.
    public mutating func setVariant(_ name: String, to value: String) -> Bool {
        Self.variants.first { $0.name == name }?.write(&self, value) ?? false
    }

    /// Takes over what no option sets from a model that is there.
    package mutating func copySettingsWithoutOption(from model: GPTConfiguration) {
        for setting in Self.filesOnly { _ = setting.write(&self, setting.read(model)) }
    }

    private struct Variant: Sendable {
        let name: String
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
        }

        init<Value: RawRepresentable<String> & Sendable>(
            choice name: String,
            _ path: WritableKeyPath<GPTConfiguration, Value> & Sendable
        ) {
            self.init(name, path, text: { $0.rawValue }, value: { Value(rawValue: $0) })
        }
    }

    private static let variants = options + filesOnly

    /// Settings that files have and no option changes yet.
    private static let filesOnly: [Variant] = [
        Variant("n_kv_head", \.attention.keyValueHeadCount, value: { Int($0) }),
        Variant("head_size", \.attention.headSize, value: { Int($0) }),
        Variant("rope_theta", \.attention.rotaryTheta, value: { Double($0) }),
        Variant(choice: "feed_forward", \.feedForward.form),
        Variant("hidden_size", \.feedForward.hiddenSize, value: { Int($0) }),
        Variant("norm_epsilon", \.norm.epsilon, value: { Float($0) }),
    ]

    private static let options: [Variant] = [
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

    /// The options that conflict and the reason; nil for a valid model.
    public var conflict: (names: [String], reason: String)? { shapeConflict ?? variantConflict }

    private var shapeConflict: (names: [String], reason: String)? {
        let sizes = [
            ("n_layer", layerCount), ("n_head", headCount), ("n_embd", embeddingSize), ("block_size", blockSize),
            ("vocab_size", vocabularySize), ("n_kv_head", attention.keyValueHeadCount), ("head_size", headSize),
            ("hidden_size", feedForward.hiddenSize),
        ]
        if let (name, size) = sizes.first(where: { $0.1 < 1 }) { return ([name], "\(size) is less than 1") }
        if headCount % attention.keyValueHeadCount != 0 {
            let groups = attention.keyValueHeadCount
            return (["n_head", "n_kv_head"], "\(headCount) query heads do not divide among \(groups) key-value heads")
        }
        guard attention.rotaryTheta > 0, attention.rotaryTheta.isFinite else {
            return (["rope_theta"], "\(attention.rotaryTheta) is not a positive number")
        }
        guard norm.epsilon > 0, norm.epsilon.isFinite else {
            return (["norm_epsilon"], "\(norm.epsilon) is not a positive number")
        }
        return 0..<1 ~= dropout ? nil : (["dropout"], "\(dropout) is not from 0 to below 1")
    }

    private var variantConflict: (names: [String], reason: String)? {
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
