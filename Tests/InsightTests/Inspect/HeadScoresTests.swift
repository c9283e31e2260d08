import Platform
import Testing

@testable import Insight

@Suite("Scores and kinds of heads")
struct HeadScoresTests {
    private let length = 12

    /// A causal pattern in which row t has all its weight on position `target(t)`.
    private func pattern(_ target: (Int) -> Int) -> AttentionMap {
        var weights = [Float](repeating: 0, count: length * length)
        for row in 0..<length { weights[row * length + target(row)] = 1 }
        return AttentionMap(causal: weights, length: length)
    }

    private var uniform: AttentionMap {
        var weights = [Float](repeating: 0, count: length * length)
        for row in 0..<length {
            for position in 0...row { weights[row * length + position] = 1 / Float(row + 1) }
        }
        return AttentionMap(causal: weights, length: length)
    }

    private var differentTokens: [Int32] { (0..<Int32(length)).map { $0 } }

    @Test("A head that attends to the previous token has score 1 for it, 0 for others, and distance 1")
    func previous() {
        let head = HeadScores(pattern { max(0, $0 - 1) }, tokens: differentTokens)
        #expect((head.previous, head.first, head.current) == (1, 0, 0))
        #expect(head.same == nil, "no token occurs twice")
        #expect(head.meanDistance == 1)
        #expect(head.kind(entropy: nil)?.kind == .previous)
        #expect(head.kind(entropy: nil)?.score == 1)
    }

    @Test("A head that attends to the first token has the mean distance of the rows")
    func first() {
        let head = HeadScores(pattern { _ in 0 }, tokens: differentTokens)
        #expect((head.previous, head.first, head.current) == (0, 1, 0))
        // Rows 1 … 11 have distances 1 … 11.
        #expect(head.meanDistance == 6)
        #expect(head.kind(entropy: nil)?.kind == .first)
    }

    @Test("A head that attends to the current token has score 1 for it and distance 0")
    func current() {
        let head = HeadScores(pattern { $0 }, tokens: differentTokens)
        #expect((head.previous, head.first, head.current) == (0, 0, 1))
        #expect(head.meanDistance == 0)
        #expect(head.kind(entropy: nil)?.kind == .current)
    }

    @Test("The same-token score counts rows whose token occurred before, and not the row itself")
    func same() {
        // Tokens 0 1 2 3 0 1 2 3 …: from the fifth on, each row attends to the token four before it, the others to
        // themselves.
        let tokens = (0..<Int32(length)).map { $0 % 4 }
        let head = HeadScores(pattern { $0 < 4 ? $0 : $0 - 4 }, tokens: tokens)
        #expect(head.same == 1)
        #expect(head.previous == 0)
        #expect(head.kind(entropy: nil)?.kind == .same)
        let own = HeadScores(pattern { $0 }, tokens: tokens)
        #expect(own.same == 0)
    }

    @Test("An induction head attends to the token after the first occurrence; the probe repeats different tokens")
    func induction() throws {
        let probe = try #require(InductionProbe(blockSize: length, vocabulary: 0..<100, seed: 7))
        #expect(probe.tokens.count == length)
        let period = length / 2
        #expect(Array(probe.tokens[..<period]) == Array(probe.tokens[period...]))
        #expect(Set(probe.tokens).count == period)
        #expect(InductionProbe.score(pattern { $0 < period ? $0 : $0 - period + 1 }) == 1)
        // Attending to the same token or to the previous one does not count.
        #expect(InductionProbe.score(pattern { $0 < period ? $0 : $0 - period }) == 0)
        #expect(InductionProbe.score(pattern { max(0, $0 - 1) }) == 0)
        let head = HeadScores(pattern { _ in 3 }, tokens: differentTokens, induction: 0.7)
        #expect(head.kind(entropy: nil)?.kind == .induction)
        #expect(InductionProbe(blockSize: 3, vocabulary: 0..<100, seed: 7) == nil)
        #expect(InductionProbe(blockSize: 64, vocabulary: 0..<5, seed: 7)?.tokens.count == 10)
    }

    @Test("A head with uniform attention has no high score, and is even because of its entropy")
    func even() throws {
        let head = HeadScores(uniform, tokens: differentTokens)
        // Row t has weight 1 / (t + 1) on each position; the mean is over rows 2 … 11.
        let share = (2..<length).reduce(0) { $0 + 1 / Double($1 + 1) } / Double(length - 2)
        for score in [head.previous, head.first, head.current] {
            let score = try #require(score)
            #expect(abs(score - share) < 1e-7)
        }
        // Row t has mean distance t / 2.
        let distance = try #require(head.meanDistance)
        #expect(abs(distance - 3) < 1e-6)
        let entropy = AttentionEntropy(uniform)
        #expect(head.kind(entropy: entropy)?.kind == .even)
        #expect(head.kind(entropy: nil) == nil)
    }

    @Test("A head has no kind if two scores are equal or none is high")
    func noKind() {
        var weights = [Float](repeating: 0, count: length * length)
        for row in 0..<length {
            weights[row * length] += 0.5
            weights[row * length + max(0, row - 1)] += 0.5
        }
        let head = HeadScores(AttentionMap(causal: weights, length: length), tokens: differentTokens)
        #expect((head.previous, head.first) == (0.5, 0.5))
        #expect(head.kind(entropy: nil) == nil)
    }

    @Test("Entropy is 0 for one position, the maximum for uniform weights, and follows the formula in between")
    func entropy() throws {
        let one = try #require(AttentionEntropy(pattern { max(0, $0 - 1) }))
        #expect((one.nats, one.normalized) == (0, 0))
        let even = try #require(AttentionEntropy(uniform))
        #expect(abs(even.normalized - 1) < 1e-6)
        let logs = (1..<length).reduce(0) { $0 + log(Double($1 + 1)) } / Double(length - 1)
        #expect(abs(even.nats - logs) < 1e-6)
        // The first of two rows sees one position; the second has weights 1/4 and 3/4.
        let two = try #require(AttentionEntropy(AttentionMap(causal: [1, 0, 0.25, 0.75], length: 2)))
        let nats = 0.25 * log(4) + 0.75 * log(4.0 / 3)
        #expect(abs(two.nats - nats) < 1e-12)
        #expect(abs(two.normalized - nats / log(2)) < 1e-12)
        #expect(AttentionEntropy(AttentionMap(causal: [1], length: 1)) == nil)
    }

    @Test("The pattern defines which positions a row sees: without a mask every row counts")
    func withoutMask() throws {
        let all = AttentionMap(weights: [0.5, 0.5, 0, 1], visible: [0..<2, 0..<2])
        let entropy = try #require(AttentionEntropy(all))
        #expect(abs(entropy.normalized - 0.5) < 1e-12)
        #expect(HeadScores(all, tokens: [0, 1]).meanDistance == 0.25)
    }
}
