// Settings that can differ from GPT-2, by the names that options and files use.
extension GPTConfiguration {
    /// The names of the settings that options can change.
    package static let variantNames = options.map(\.name)

    /// The settings that differ from a GPT-2 of this size, as names and texts.
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

    /// `variantChanges` without `attention`, which computes the same as GPT-2 in another way.
    public var architectureChanges: [(name: String, value: String)] { variantChanges.filter { $0.name != "attention" } }

    /// Sets a setting from its text. Returns false if there is no such setting or the value is not allowed.
    public mutating func setVariant(_ name: String, to value: String) -> Bool {
        Self.variants.first { $0.name == name }?.write(&self, value) ?? false
    }

    /// Copies the settings that no option sets from an existing model.
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

    /// Settings that files contain but no option changes.
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

    /// The names of the options that conflict and the reason; nil for a valid model.
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
            return (["attention_sinks"], "attention_sinks has no effect without attention_window")
        }
        if attention.positions == .rotary && headSize % 2 == 1 {
            return (
                ["position_embedding", "n_embd", "n_head"],
                "rotary needs an even number of features per head, not \(headSize)"
            )
        }
        if norm.kind == .none && norm.place == .post {
            return (["norm", "norm_position"], "norm_position needs a norm other than none")
        }
        if let head = ablations.removedHeads.first(where: { $0.layer >= layerCount || $0.head >= headCount }) {
            let last = HeadName(layer: layerCount - 1, head: headCount - 1)
            return (["ablate_heads"], "there is no head \(head); they are 0.0 to \(last)")
        }
        return nil
    }
}

// Parts of the shape under their GPT-2 names.
extension GPTConfiguration {
    /// H, the number of query heads per layer.
    public var headCount: Int { attention.headCount }

    /// D, the number of features per head.
    public var headSize: Int { attention.headSize }

    /// f, the activation function of the feed-forward sublayers.
    public var activation: Activation {
        get { feedForward.activation }
        set { feedForward.activation = newValue }
    }

    /// nanoGPT's count of floating-point operations per token, forward and backward: `6 N + 12 L H D T`, where N is the
    /// number of parameters without the position embeddings.
    public var operationsPerToken: Double {
        let layout = ParameterLayout(self)
        let counted = layout.count - layout.positionEmbedding.count
        return 6 * Double(counted) + 12 * Double(layerCount * headCount * headSize * blockSize)
    }
}
