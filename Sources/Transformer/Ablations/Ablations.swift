/// What an experiment takes away from a model, to see what it was good for. The defaults take nothing away.
public struct Ablations: Equatable, Sendable {
    /// Whether a head's scores are computed in blocks or all at once. The raw values are those of options and files.
    public enum AttentionForm: String, Sendable, CaseIterable {
        /// A block of query rows at a time.
        case tiled
        /// All (T, T) of a head at once, those above the diagonal too.
        case plain
    }

    /// Which sublayers have a residual connection. The raw values are those of options and files.
    public enum Residual: String, Sendable, CaseIterable {
        case both, attention, mlp, none
    }

    /// Whether a position sees only itself and what is before it.
    public var causalMask = true
    /// How many positions a query sees, its own the last; 0 for all.
    public var attentionWindow = 0
    /// With a window: so many positions from the first are seen from everywhere (Xiao et al., "attention sinks", 2023).
    public var attentionSinks = 0
    /// Scores are divided by this besides sqrt(D): above 1 weights are flatter, below sharper.
    public var attentionTemperature = 1.0
    /// The result is the same either way, up to rounding; `plain` takes more time and memory.
    public var attention = AttentionForm.tiled
    /// Both sublayers of a block have one by default.
    public var residual = Residual.both
    /// Heads whose output is taken for zero.
    public var removedHeads: [HeadName] = []

    /// Nothing is taken away.
    public init() {}

    /// Whether a query sees a key of its sequence, by their positions.
    func canAttend(_ query: Int, _ key: Int) -> Bool {
        if causalMask && key > query { return false }
        return attentionWindow == 0 || abs(query - key) < attentionWindow || key < attentionSinks
    }
}

/// One head of a model, written `layer.head`, both counted from 0.
public struct HeadName: Hashable, Sendable, CustomStringConvertible {
    /// Both from 0; whether a model has them is not checked here.
    public let layer, head: Int

    /// Head `head` of layer `layer`, both counted from 0.
    public init(layer: Int, head: Int) {
        self.layer = layer
        self.head = head
    }

    /// Reads `layer.head`, such as `0.1`; nil for anything else.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let layer = Int(parts[0]), let head = Int(parts[1]), layer >= 0, head >= 0 else {
            return nil
        }
        self.init(layer: layer, head: head)
    }

    /// `layer.head`, as the initializer reads it.
    public var description: String { "\(layer).\(head)" }

    /// The heads of a list such as `0.1, 2.3`; empty for none, nil where an element is no head.
    public static func list(_ text: String) -> [HeadName]? {
        let elements = text.split { $0 == "," || $0 == " " }
        let heads = elements.compactMap { HeadName($0) }
        return heads.count == elements.count ? heads : nil
    }
}
