import Platform

/// The best possible predictor of an automaton's text that sees only a window of the text.
///
/// It keeps the probability b(s) of each state s given the characters of the window so far. Before the window, this is
/// the stationary distribution. A character c updates it to `b'(t) = Σ_s b(s) P(s → t, c) / P(c)`, where
/// `P(c) = Σ_s,t b(s) P(s → t, c)` is the exact probability of c given the previous characters. This is the forward
/// algorithm of hidden Markov models (Rabiner, "A tutorial on hidden Markov models", Proc. IEEE 1989).
struct ForwardFilter {
    private let automaton: Automaton
    /// The possible states and their probabilities. After some characters, few states are possible.
    private var states: [Int32] = []
    private var beliefs: [Double] = []
    /// A sum for each state; all zero between steps.
    private var sums: [Double]
    private var reached: [Int32] = []

    init(automaton: Automaton) {
        self.automaton = automaton
        sums = [Double](repeating: 0, count: automaton.stateCount)
    }

    /// Starts a window with its first character and returns the character's long-run probability.
    mutating func begin(with character: UInt8) -> Double {
        let first = automaton.characterStarts[Int(character)]
        let end = automaton.characterStarts[Int(character) + 1]
        for edge in automaton.edgesByCharacter[first..<end] {
            add(automaton.stationary[Int(edge.source)] * edge.probability, to: edge.target)
        }
        return finish()
    }

    /// Adds the next character and returns its probability. Zero means that the grammar cannot write this text.
    mutating func step(_ character: UInt8) -> Double {
        for index in states.indices {
            for edge in automaton.edges(of: Int(states[index])) where edge.character == character {
                add(beliefs[index] * edge.probability, to: edge.target)
            }
        }
        return finish()
    }

    /// Computes the loss of each character of a window except the first, in nats.
    ///
    /// - Parameters:
    ///   - window: the characters.
    ///   - losses: receives one loss per character after the first.
    /// - Returns: false if the grammar cannot write this text.
    mutating func losses(of window: some Collection<UInt8>, into losses: UnsafeMutableBufferPointer<Double>) -> Bool {
        guard let first = window.first, begin(with: first) > 0 else { return false }
        for (index, character) in window.dropFirst().enumerated() {
            let probability = step(character)
            guard probability > 0 else { return false }
            losses[index] = -log(probability)
        }
        return true
    }

    private mutating func add(_ weight: Double, to state: Int32) {
        if sums[Int(state)] == 0 { reached.append(state) }
        sums[Int(state)] += weight
    }

    private mutating func finish() -> Double {
        var total = 0.0
        for state in reached { total += sums[Int(state)] }
        swap(&states, &reached)
        reached.removeAll(keepingCapacity: true)
        beliefs.removeAll(keepingCapacity: true)
        for state in states {
            beliefs.append(sums[Int(state)] / total)
            sums[Int(state)] = 0
        }
        return total
    }
}
