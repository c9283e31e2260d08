/// What a model does otherwise than GPT-2. Experiments change one thing at a time to see what it was good for; who reads the plain
/// path needs none of it, and every default is GPT-2's.
///
/// The names of the cases are those that options and files have.
public struct GPTVariants: Equatable, Sendable {
    /// How a head's scores are held.
    public enum AttentionForm: String, Sendable, CaseIterable {
        /// A block of query rows at a time.
        case tiled
        /// All (T, T) of a head at once, those above the diagonal too.
        case plain
    }

    /// How a model knows where a token stands.
    public enum Positions: String, Sendable, CaseIterable {
        /// A vector for each position, learned and added to the token's.
        case learned
        /// Not at all, but for what the causal mask tells.
        case none
        /// Queries and keys are turned by angles that grow with the position (Su et al., "RoFormer", 2021).
        case rotary
        /// Scores fall with the distance, by a slope of each head (Press et al., "Train short, test long", 2022).
        case alibi
    }

    /// Around which halves of a block x goes on beside their output.
    public enum Residual: String, Sendable, CaseIterable {
        case both, attention, mlp, none
    }

    /// How a row of activations is normalized.
    public enum Norm: String, Sendable, CaseIterable {
        /// Ba et al., 2016.
        case layernorm
        /// Without the mean (Zhang and Sennrich, 2019).
        case rmsnorm
        /// Nothing is normalized, and no parameters are there for it.
        case none
    }

    /// Where in a block it is normalized.
    public enum NormPosition: String, Sendable, CaseIterable {
        /// On the way into attention and MLP, and once more at the end: GPT-2.
        case pre
        /// On the residual stream itself after each of them (Vaswani et al., 2017; GPT-1), and not again at the end.
        case post
    }

    /// Whether a position sees only itself and what is before it.
    public var causalMask = true
    /// How many positions a query sees, its own the last; 0 for all.
    public var attentionWindow = 0
    /// With a window: the first so many positions are seen from everywhere (Xiao et al., "attention sinks", 2023).
    public var attentionSinks = 0
    /// Scores are divided by this besides sqrt(D): above 1 weights are flatter, below sharper.
    public var attentionTemperature = 1.0
    /// The same result either way, up to rounding; `plain` takes more time and memory.
    public var attention = AttentionForm.tiled
    /// GPT-2's are learned.
    public var positions = Positions.learned
    /// GPT-2 has one around both halves.
    public var residual = Residual.both
    /// Of all normalizations in the model.
    public var norm = Norm.layernorm
    /// GPT-2's are on the way in.
    public var normPosition = NormPosition.pre
    /// Whether the output head's weights are the token embedding.
    public var tiedHead = true
    /// Heads whose output is taken for zero.
    public var ablatedHeads: [HeadName] = []

    /// GPT-2.
    public init() {}

    var keepsInput: (attention: Bool, mlp: Bool) {
        (residual == .both || residual == .attention, residual == .both || residual == .mlp)
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
