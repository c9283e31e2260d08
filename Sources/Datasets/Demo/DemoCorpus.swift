import Compute
import Platform
import Tokenizers

/// A corpus that needs no download and has a known optimum: text of a small regular grammar (`Grammar.demo`), and the
/// least loss that any predictor can have on windows of it.
///
/// A model's loss comes down towards `optimum(tokens:targets:blockSize:)` on the same windows. A loss that is below it by
/// more than chance proves that the model has seen what it should predict.
public struct DemoCorpus: Sendable {
    /// The name of its dataset.
    public static let name = "demo"
    /// Of `prepare demo`.
    public static let defaultSeed: UInt64 = 1337
    /// Of `prepare demo`, before it is split; a character is a byte.
    public static let defaultCharacters = 1_000_000

    /// Identifies the grammar, and with a seed and a size every character of the text.
    public static let grammarHash = automaton.hash

    static let automaton = Automaton(grammar: .demo)

    /// All characters that the grammar can write, whether a short text has them or not.
    package static let tokenizer = CharacterTokenizer(
        scalars: (UInt8(0)..<128).filter { character in
            automaton.characterStarts[Int(character)] < automaton.characterStarts[Int(character) + 1]
        }.map { Unicode.Scalar($0) }
    )

    /// The character of each token id; 0, which the grammar never writes, where it is none of ASCII.
    private let characters: [UInt8]

    /// - Parameter tokenizer: the one that made the tokens.
    public init(tokenizer: CharacterTokenizer) {
        characters = tokenizer.scalars.map { $0.isASCII ? UInt8($0.value) : 0 }
    }

    // MARK: - The text

    /// Writes the text of a seed, in pieces: any length of it begins with every shorter one.
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

    /// All of the text that `generate` makes in pieces, in ASCII.
    public static func text(seed: UInt64 = defaultSeed, characters: Int = defaultCharacters) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(characters)
        generate(seed: seed, characters: characters) { text.append(contentsOf: $0) }
        return text
    }

    // MARK: - The optimum

    /// The least mean loss that any predictor can have on some windows, in nats a token.
    public struct Optimum: Equatable, Sendable {
        /// Of each target, (windows, blockSize) row-major: -log of its exact probability given the window before it.
        public let losses: [Double]
        /// Targets of a window.
        public let blockSize: Int

        /// Over all targets.
        public var mean: Double { losses.reduce(0, +) / Double(losses.count) }
    }

    /// The optimum on the very windows of a batch.
    ///
    /// A predictor of target i sees the inputs 0 to i of its window and knows the source; the first input is given, as it
    /// is to a model, and not scored.
    /// - Parameters:
    ///   - tokens: inputs, (windows, blockSize).
    ///   - targets: the same tokens shifted by one.
    /// - Throws: `UserError(.data)` when the grammar does not write such a text.
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
                    "targets are not shifted tokens"
                )
            }
            let isPossible = losses.withUnsafeMutableBufferPointer {
                filter.losses(of: window, into: UnsafeMutableBufferPointer(rebasing: $0[start..<start + blockSize]))
            }
            guard isPossible else {
                let text = String(decoding: window, as: UTF8.self).replacing("\n", with: " ")
                throw UserError(
                    .data,
                    "the demo's grammar does not write \"\(text)\": the tokens were changed; run `ddp-train prepare demo --overwrite`"
                )
            }
        }
        return Optimum(losses: losses, blockSize: blockSize)
    }

    private func character(of id: Int32) -> UInt8 {
        characters.indices.contains(Int(id)) ? characters[Int(id)] : 0
    }
}

/// Walks through an automaton. Choice n is a function of (seed, n).
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

    /// Of the demo's grammar.
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
        // Rounding can leave a rest of the order of 1e-16.
        return edges[edges.endIndex - 1]
    }
}
