/// The parts of a model that an experiment removes or changes, to measure what they contribute. The defaults change
/// nothing.
public struct Ablations: Equatable, Sendable {
    /// Whether a head computes its scores in blocks or all at once. Options and files use the raw values.
    public enum AttentionForm: String, Sendable, CaseIterable {
        /// One block of query rows at a time.
        case tiled
        /// All (T, T) scores of a head at once, including those above the diagonal.
        case plain
    }

    /// Which sublayers have a residual connection. Options and files use the raw values.
    public enum Residual: String, Sendable, CaseIterable {
        case both, attention, mlp, none
    }

    /// Whether a position attends only to itself and earlier positions.
    public var causalMask = true
    /// The number of positions that a query attends to, ending with its own; 0 for all.
    public var attentionWindow = 0
    /// With a window, the number of positions at the start of the sequence that every query also attends to (Xiao et
    /// al., "attention sinks", 2023).
    public var attentionSinks = 0
    /// A divisor of the scores in addition to sqrt(D). Above 1 the weights are flatter, below 1 sharper.
    public var attentionTemperature = 1.0
    /// How scores are computed. The results differ only by rounding; `plain` takes more time and memory.
    public var attention = AttentionForm.tiled
    /// The sublayers with a residual connection; both by default.
    public var residual = Residual.both
    /// The heads whose output is replaced by zero.
    public var removedHeads: [HeadName] = []

    /// Creates ablations that change nothing.
    public init() {}

    /// Whether a query attends to a key of its sequence, given their positions.
    func canAttend(_ query: Int, _ key: Int) -> Bool {
        if causalMask && key > query { return false }
        return attentionWindow == 0 || abs(query - key) < attentionWindow || key < attentionSinks
    }
}

/// The name of one head of a model, written `layer.head`; both count from 0.
public struct HeadName: Hashable, Sendable, CustomStringConvertible {
    /// The indices, from 0. This type does not check that the model has them.
    public let layer, head: Int

    /// Names head `head` of layer `layer`; both count from 0.
    public init(layer: Int, head: Int) {
        self.layer = layer
        self.head = head
    }

    /// Parses `layer.head`, such as `0.1`; nil for any other text.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let layer = Int(parts[0]), let head = Int(parts[1]), layer >= 0, head >= 0 else {
            return nil
        }
        self.init(layer: layer, head: head)
    }

    /// The name as `layer.head`, which the initializer parses.
    public var description: String { "\(layer).\(head)" }

    /// Parses a list of heads such as `0.1, 2.3`. An empty text gives an empty list; nil if an element is not a head.
    public static func list(_ text: String) -> [HeadName]? {
        let elements = text.split { $0 == "," || $0 == " " }
        let heads = elements.compactMap { HeadName($0) }
        return heads.count == elements.count ? heads : nil
    }
}
