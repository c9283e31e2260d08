import Compute
import Platform
import Tokenizers

/// A generated corpus with a known lowest possible loss: text of a small regular grammar (`Grammar.demo`).
///
/// A model's loss approaches `optimum(tokens:targets:blockSize:)` on the same windows. A loss that is significantly
/// lower proves that the model can see its targets.
public struct DemoCorpus: Sendable {
    /// The name of the dataset.
    public static let name = "demo"
    /// The default seed of `prepare demo`.
    public static let defaultSeed: UInt64 = 1337
    /// The default length of `prepare demo` for both splits together. A character is one byte.
    public static let defaultCharacters = 1_000_000

    /// A hash of the grammar. Grammar, seed and length determine the whole text.
    public static let grammarHash = automaton.hash

    static let automaton = Automaton(grammar: .demo)

    /// The tokenizer of all characters that the grammar can write, including those that a short text does not contain.
    package static let tokenizer = CharacterTokenizer(
        scalars: (UInt8(0)..<128).filter { character in
            automaton.characterStarts[Int(character)] < automaton.characterStarts[Int(character) + 1]
        }.map { Unicode.Scalar($0) }
    )

    /// The character of each token id. Characters that are not ASCII become 0, which the grammar never writes.
    private let characters: [UInt8]

    /// Creates the corpus for tokens of a tokenizer.
    ///
    /// - Parameter tokenizer: the tokenizer that made the tokens.
    public init(tokenizer: CharacterTokenizer) {
        characters = tokenizer.scalars.map { $0.isASCII ? UInt8($0.value) : 0 }
    }

    // MARK: - The text

    /// Generates the text of a seed in pieces. A shorter text is a prefix of a longer one.
    ///
    /// - Parameters:
    ///   - seed: the seed.
    ///   - characters: the length of the text in characters, which are bytes.
    ///   - body: called with each piece of ASCII text.
    /// - Throws: the errors of `body`.
    public static func generate(
        seed: UInt64 = defaultSeed,
        characters: Int = defaultCharacters,
        body: (UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        var writer = CorpusWriter(automaton: automaton, seed: seed)
        var piece: [UInt8] = []
        var rest = characters
        while rest > 0 {
            writer.write(min(rest, 1 << 16), into: &piece)
            try piece.withUnsafeBytes(body)
            rest -= piece.count
        }
    }

    /// The whole text of a seed, in ASCII.
    public static func text(seed: UInt64 = defaultSeed, characters: Int = defaultCharacters) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(characters)
        generate(seed: seed, characters: characters) { text.append(contentsOf: $0) }
        return text
    }

    // MARK: - The optimum

    /// The lowest possible loss on some windows.
    public struct Optimum: Equatable, Sendable {
        /// The loss of each target in nats, (windows, blockSize) row-major: `-ln` of its exact probability given the
        /// window before it.
        public let losses: [Double]
        /// The number of targets per window.
        public let blockSize: Int

        /// The mean over all targets, in nats per token.
        public var mean: Double { losses.reduce(0, +) / Double(losses.count) }
    }

    /// Computes the lowest possible loss on the windows of a batch.
    ///
    /// The best predictor of target i knows the grammar and sees the inputs 0 to i of its window. The first input is
    /// given and has no loss, as for a model.
    ///
    /// - Parameters:
    ///   - tokens: the inputs, (windows, blockSize) row-major.
    ///   - targets: the same tokens shifted by one.
    ///   - blockSize: the number of inputs per window.
    /// - Throws: `UserError(.data)` if the grammar cannot write the text.
    public func optimum(tokens: [Int32], targets: [Int32], blockSize: Int) throws -> Optimum {
        precondition(blockSize > 0 && tokens.count % blockSize == 0 && tokens.count == targets.count)
        var filter = ForwardFilter(automaton: Self.automaton)
        var losses = [Double](repeating: 0, count: targets.count)
        var window = [UInt8](repeating: 0, count: blockSize + 1)
        for start in stride(from: 0, to: tokens.count, by: blockSize) {
            window[0] = character(of: tokens[start])
            for index in 0..<blockSize {
                window[index + 1] = character(of: targets[start + index])
                precondition(
                    index == 0 || tokens[start + index] == targets[start + index - 1],
                    "the targets are not the tokens shifted by one"
                )
            }
            let isPossible = losses.withUnsafeMutableBufferPointer {
                filter.losses(of: window, into: UnsafeMutableBufferPointer(rebasing: $0[start..<start + blockSize]))
            }
            guard isPossible else {
                let text = String(decoding: window, as: UTF8.self).replacing("\n", with: " ")
                throw UserError(
                    .data,
                    "the demo's grammar cannot write \"\(text)\", so the tokens were changed; run `ddp-train prepare demo --overwrite`"
                )
            }
        }
        return Optimum(losses: losses, blockSize: blockSize)
    }

    private func character(of id: Int32) -> UInt8 {
        characters.indices.contains(Int(id)) ? characters[Int(id)] : 0
    }
}

/// Generates text with an automaton. The n-th choice is a function of (seed, n).
package struct CorpusWriter {
    private let automaton: Automaton
    private let seed: UInt64
    private var state: Int
    private var choices: UInt64 = 0

    init(automaton: Automaton, seed: UInt64) {
        self.automaton = automaton
        self.seed = seed
        state = automaton.start
    }

    /// Generates text of the demo's grammar.
    package init(seed: UInt64) { self.init(automaton: DemoCorpus.automaton, seed: seed) }

    /// Replaces `text` by the next `count` characters.
    package mutating func write(_ count: Int, into text: inout [UInt8]) {
        text.removeAll(keepingCapacity: true)
        for _ in 0..<count {
            let edges = automaton.edges(of: state)
            let edge = edges.count == 1 ? edges[edges.startIndex] : chosen(among: edges)
            text.append(edge.character)
            state = Int(edge.target)
        }
    }

    private mutating func chosen(among edges: ArraySlice<Automaton.Edge>) -> Automaton.Edge {
        let random = CounterRandom(seed: seed, stream: .corpus, item: UInt32(choices >> 32))
        var rest = random.uniform(UInt32(truncatingIfNeeded: choices))
        choices += 1
        for edge in edges {
            rest -= edge.probability
            if rest < 0 { return edge }
        }
        // Rounding can leave a remainder of about 1e-16.
        return edges[edges.endIndex - 1]
    }
}
