extension GPTVariants {
    /// Every variant by the name it has as an option and in files.
    public static let names = settings.map(\.name)

    /// The variants that differ from GPT-2's, by name, as text.
    public var changes: [(name: String, value: String)] {
        let usual = GPTVariants()
        return Self.settings.filter { $0.read(self) != $0.read(usual) }.map { ($0.name, $0.read(self)) }
    }

    /// The same without those that compute what GPT-2 does, another way.
    public var otherModel: [(name: String, value: String)] { changes.filter { $0.name != "attention" } }

    /// The value of a variant as text.
    ///
    /// - Precondition: the name is one of `names`.
    public func value(of name: String) -> String { Self.settings.first { $0.name == name }!.read(self) }

    /// Sets a variant from its text; false when there is no such variant or it cannot have that value.
    public mutating func set(_ name: String, to value: String) -> Bool {
        Self.settings.first { $0.name == name }?.write(&self, value) ?? false
    }

    private struct Setting: Sendable {
        let name: String
        let read: @Sendable (GPTVariants) -> String
        let write: @Sendable (inout GPTVariants, String) -> Bool

        init<Value: Sendable>(
            _ name: String,
            _ path: WritableKeyPath<GPTVariants, Value> & Sendable,
            _ text: @escaping @Sendable (Value) -> String,
            _ value: @escaping @Sendable (String) -> Value?
        ) {
            self.name = name
            read = { text($0[keyPath: path]) }
            write = { variants, text in
                guard let value = value(text) else { return false }
                variants[keyPath: path] = value
                return true
            }
        }

        init<Value: RawRepresentable<String> & Sendable>(
            choice name: String,
            _ path: WritableKeyPath<GPTVariants, Value> & Sendable
        ) {
            self.init(name, path, { $0.rawValue }, { Value(rawValue: $0) })
        }
    }

    private static let settings: [Setting] = [
        Setting("causal_mask", \.causalMask, { String($0) }, { Bool($0) }),
        Setting("attention_window", \.attentionWindow, { String($0) }, { Int($0).flatMap { $0 >= 0 ? $0 : nil } }),
        Setting("attention_sinks", \.attentionSinks, { String($0) }, { Int($0).flatMap { $0 >= 0 ? $0 : nil } }),
        Setting(
            "attention_temperature",
            \.attentionTemperature,
            { String($0) },
            { Double($0).flatMap { $0 > 0 && $0.isFinite ? $0 : nil } }
        ),
        Setting(choice: "attention", \.attention),
        Setting(choice: "position_embedding", \.positions),
        Setting(choice: "residual", \.residual),
        Setting(choice: "norm", \.norm),
        Setting(choice: "norm_position", \.normPosition),
        Setting("tied_head", \.tiedHead, { String($0) }, { Bool($0) }),
        Setting(
            "ablate_heads",
            \.ablatedHeads,
            { $0.map(\.description).joined(separator: ",") },
            { HeadName.list($0) }
        ),
    ]

    /// Why a model of this shape cannot be, if it cannot: the names of what does not go together, and a sentence about them.
    public func conflict(layerCount: Int, headCount: Int, headSize: Int) -> (names: [String], reason: String)? {
        if attentionSinks > 0 && attentionWindow == 0 {
            return (["attention_sinks"], "without attention_window every position is seen anyway")
        }
        if positions == .rotary && headSize % 2 == 1 {
            return (
                ["position_embedding", "n_embd", "n_head"], "rotary turns pairs, and a head has \(headSize) features"
            )
        }
        if norm == .none && normPosition == .post {
            return (["norm", "norm_position"], "without a norm it has no position")
        }
        if let head = ablatedHeads.first(where: { $0.layer >= layerCount || $0.head >= headCount }) {
            let last = HeadName(layer: layerCount - 1, head: headCount - 1)
            return (["ablate_heads"], "there is no head \(head); they are 0.0 to \(last)")
        }
        return nil
    }
}
