import Formats
import Foundation
import Testing

@testable import Datasets
@testable import Tokenizers

/// Small grammars that can write a text in several ways, so that the filter has to combine probabilities.
private let tinyGrammars: [(name: String, grammar: Grammar)] = [
    (
        // Different words share letters, and the same letter can lead from one state to different states.
        "words",
        Grammar(
            start: "space",
            rules: [
                "space": [
                    .init(weight: 2, pattern: .choice([(1, "ab"), (2, "aab"), (1, "ba")]), next: "space"),
                    .init(weight: 1, pattern: "a", next: "hidden"),
                ],
                "hidden": [
                    .init(weight: 1, pattern: "b", next: "space"), .init(weight: 3, pattern: "a", next: "space"),
                ],
            ]
        )
    ),
    (
        // The end depends on the start: x...y or z...w around the same middle.
        "brackets",
        Grammar(
            start: "s",
            rules: [
                "s": [
                    .init(weight: 1, pattern: "x" + .choice([(1, "a"), (3, "aa"), (1, "")]) + "y", next: "s"),
                    .init(weight: 2, pattern: "z" + .choice([(2, "a"), (1, "aa")]) + "w", next: "s"),
                ]
            ]
        )
    ),
]

@Suite("Demo corpus")
struct DemoCorpusTests {
    /// The probability of a text that starts in any state, computed by enumerating all paths.
    private func probability(of text: ArraySlice<UInt8>, _ automaton: Automaton) -> Double {
        func from(_ state: Int, _ rest: ArraySlice<UInt8>) -> Double {
            guard let character = rest.first else { return 1 }
            return automaton.edges(of: state).reduce(0) { sum, edge in
                edge.character == character ? sum + edge.probability * from(Int(edge.target), rest.dropFirst()) : sum
            }
        }
        return (0..<automaton.stateCount).reduce(0) { $0 + automaton.stationary[$1] * from($1, text) }
    }

    @Test("the filter's probabilities equal those of enumerating all paths", arguments: tinyGrammars)
    func filterAgainstBruteForce(name: String, grammar: Grammar) throws {
        let automaton = Automaton(grammar: grammar)
        let alphabet = Array(Set(automaton.edges.map(\.character))).sorted()
        var filter = ForwardFilter(automaton: automaton)
        var texts: [[UInt8]] = [[]]
        var possible = 0
        for length in 1...7 {
            texts = texts.flatMap { text in alphabet.map { text + [$0] } }.filter {
                probability(of: $0[...], automaton) > 0
            }
            // The probabilities of all texts of one length sum to 1.
            let total = texts.reduce(0) { $0 + probability(of: $1[...], automaton) }
            #expect(abs(total - 1) < 1e-12)
            for text in texts where length > 1 {
                var losses = [Double](repeating: .nan, count: length - 1)
                let isPossible = losses.withUnsafeMutableBufferPointer { filter.losses(of: text, into: $0) }
                #expect(isPossible)
                for index in 1..<length {
                    let expected =
                        probability(of: text[...index], automaton) / probability(of: text[..<index], automaton)
                    #expect(abs(exp(-losses[index - 1]) - expected) < 1e-12, "\(String(decoding: text, as: UTF8.self))")
                }
                possible += 1
            }
        }
        #expect(possible > 100)
    }

    @Test("a text that the grammar cannot write has probability 0")
    func impossibleText() {
        var filter = ForwardFilter(automaton: Automaton(grammar: tinyGrammars[1].grammar))
        var losses = [Double](repeating: 0, count: 2)
        let arePossible = ["xaw", "q", "xay"].map { text in
            losses.withUnsafeMutableBufferPointer { filter.losses(of: Array(text.utf8), into: $0) }
        }
        #expect(arePossible == [false, false, true])
        // After "xaa" the y is certain; after "xa" its probability is 1/4.
        #expect(abs(losses[1] - log(4)) < 1e-12)
    }

    @Test(
        "the stationary distribution is invariant and sums to 1, and the chain is irreducible",
        arguments: tinyGrammars + [("demo", .demo)]
    )
    func stationary(name: String, grammar: Grammar) {
        let automaton = Automaton(grammar: grammar)
        #expect(abs(automaton.stationary.reduce(0, +) - 1) < 1e-12)
        #expect(automaton.stationary.allSatisfy { $0 > 0 })
        var next = [Double](repeating: 0, count: automaton.stateCount)
        var canReturn = [Bool](repeating: false, count: automaton.stateCount)
        for state in 0..<automaton.stateCount {
            let edges = automaton.edges(of: state)
            #expect(abs(edges.reduce(0) { $0 + $1.probability } - 1) < 1e-12)
            for edge in edges { next[Int(edge.target)] += automaton.stationary[state] * edge.probability }
        }
        for state in 0..<automaton.stateCount { #expect(abs(next[state] - automaton.stationary[state]) < 1e-14) }
        // Every state is reachable from the start, because its probability is positive. Check that each leads back to
        // the start.
        canReturn[automaton.start] = true
        var found = true
        while found {
            found = false
            for edge in automaton.edges where !canReturn[Int(edge.source)] && canReturn[Int(edge.target)] {
                canReturn[Int(edge.source)] = true
                found = true
            }
        }
        #expect(canReturn.allSatisfy { $0 })
    }

    @Test("the demo's grammar has few enough words to learn and few enough states to filter")
    func size() {
        let words = Set(DemoCorpus.text(characters: 200_000).split { !($0 >= 65 && $0 <= 122) }.map { Array($0) })
        #expect((80...200).contains(words.count), "\(words.count) words")
        #expect(DemoCorpus.automaton.stateCount < 5000)
        #expect(DemoCorpus.tokenizer.vocabularySize < 64)
    }

    @Test("the text depends only on the seed, and a shorter text is a prefix of a longer one")
    func generation() {
        let text = DemoCorpus.text(seed: 1, characters: 100_000)
        #expect(text.count == 100_000)
        #expect(DemoCorpus.text(seed: 1, characters: 70_001) == Array(text[..<70_001]))
        #expect(DemoCorpus.text(seed: 2, characters: 1000) != Array(text[..<1000]))
    }

    /// With another text, existing runs on the demo corpus could not be repeated.
    @Test("the text of a seed is the same as in earlier versions")
    func golden() {
        let text = String(decoding: DemoCorpus.text(seed: 1, characters: 100_000), as: UTF8.self)
        #expect(
            text.hasPrefix("Now the fox takes 2 hats behind the inn. The old king behind the mill takes a golden hat.")
        )
        #expect(Checksum.sha256(of: text) == "f88f88ca4d36f5b1b9e3892be6a477b4e95454598e902331bdcb9da2b576ff40")
    }

    @Test("words agree within sentences")
    func agreements() throws {
        let text = String(decoding: DemoCorpus.text(characters: 300_000), as: UTF8.self)
        func count(_ part: String) -> Int { text.ranges(of: part).count }
        for right in ["Both the fox and Ann ", " an owl", " a fox", "foxes find", "?\" asks", "!\" shouts", ",\" says"]
        {
            #expect(count(right) > 0, "\(right)")
        }
        for wrong in ["a owl", "an fox", "foxes finds", "?\" says", "every foxes", "0 fox ", "a fox find ", "  ", ".."]
        {
            #expect(count(wrong) == 0, "\(wrong)")
        }
        let lines = text.split(separator: "\n").dropLast()
        #expect(lines.count > 500)
        #expect(lines.allSatisfy { $0.hasSuffix(".") && ($0.count { $0 == "\"" }).isMultiple(of: 2) })
    }

    // MARK: - The optimum

    private func windows(_ count: Int, blockSize: Int, seed: UInt64 = 3) throws -> (tokens: [Int32], targets: [Int32]) {
        let ids = try DemoCorpus.tokenizer.encode(DemoCorpus.text(seed: seed, characters: count * blockSize + 1))
        return (Array(ids.dropLast()), Array(ids.dropFirst()))
    }

    @Test("the optimum is the mean over all targets, and its losses fall along the window")
    func optimum() throws {
        let demo = DemoCorpus(tokenizer: DemoCorpus.tokenizer)
        let (tokens, targets) = try windows(1500, blockSize: 64)
        let optimum = try demo.optimum(tokens: tokens, targets: targets, blockSize: 64)
        #expect(optimum.losses.count == 1500 * 64)
        #expect(optimum.losses.allSatisfy { $0 > -1e-12 && $0.isFinite })
        let byPosition = (0..<64).map { position in
            stride(from: position, to: optimum.losses.count, by: 64).reduce(0) { $0 + optimum.losses[$1] } / 1500
        }
        #expect(abs(byPosition.reduce(0, +) / 64 - optimum.mean) < 1e-12)
        let early = byPosition[0]
        let late = byPosition[32...].reduce(0, +) / 32
        #expect(early > 1.5 && late < 0.5, "\(early), \(late)")
        // A part of the same windows has the same losses.
        let part = try demo.optimum(
            tokens: Array(tokens[640..<1280]),
            targets: Array(targets[640..<1280]),
            blockSize: 64
        )
        #expect(part.losses == Array(optimum.losses[640..<1280]))
    }

    @Test("a predictor from a table of the last six characters stays above the optimum")
    func tableIsWorse() throws {
        let demo = DemoCorpus(tokenizer: DemoCorpus.tokenizer)
        let (tokens, targets) = try windows(200, blockSize: 64)
        let best = try demo.optimum(tokens: tokens, targets: targets, blockSize: 64).mean
        // An order-6 table with additive smoothing, trained on other text.
        let size = DemoCorpus.tokenizer.vocabularySize
        let training = try DemoCorpus.tokenizer.encode(DemoCorpus.text(seed: 99, characters: 150_000))
        func key(_ context: ArraySlice<Int32>) -> Int { context.reduce(0) { $0 * size + Int($1) } }
        var counts: [Int: [Int32]] = [:]
        for index in 6..<training.count {
            counts[key(training[index - 6..<index]), default: .init(repeating: 0, count: size)][Int(training[index])] +=
                1
        }
        var total = 0.0
        for index in 6..<tokens.count {
            let row = counts[key(tokens[index - 5...index])] ?? .init(repeating: 0, count: size)
            let sum = Double(row.reduce(0, +))
            total -= log((Double(row[Int(targets[index])]) + 0.01) / (sum + 0.01 * Double(size)))
        }
        let table = total / Double(tokens.count - 6)
        #expect(table > best + 0.05 && table < 1.5, "table \(table), optimum \(best)")
    }

    @Test("tokens that the grammar cannot write are a data error")
    func changedTokens() throws {
        let demo = DemoCorpus(tokenizer: DemoCorpus.tokenizer)
        var (tokens, targets) = try windows(2, blockSize: 64)
        (tokens[80], targets[79]) = (0, 0)
        #expect(throws: (any Error).self) { try demo.optimum(tokens: tokens, targets: targets, blockSize: 64) }
    }

    @Test("a tokenizer with another order of characters gives the same optimum")
    func otherTokenizer() throws {
        let (tokens, targets) = try windows(10, blockSize: 64)
        let turned = CharacterTokenizer(scalars: DemoCorpus.tokenizer.scalars.reversed())
        let last = Int32(turned.vocabularySize - 1)
        let expected = try DemoCorpus(tokenizer: DemoCorpus.tokenizer)
            .optimum(tokens: tokens, targets: targets, blockSize: 64)
        let found = try DemoCorpus(tokenizer: turned)
            .optimum(tokens: tokens.map { last - $0 }, targets: targets.map { last - $0 }, blockSize: 64)
        #expect(found == expected)
    }
}
