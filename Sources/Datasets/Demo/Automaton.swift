import Formats

/// A grammar as a Markov chain. Each step writes one character and moves to another state.
struct Automaton: Sendable {
    struct Edge: Sendable {
        var source: Int32
        var target: Int32
        var character: UInt8
        var probability: Double
    }

    let stateCount: Int
    /// The state in which a text starts.
    let start: Int
    /// All edges. Those of state s are at `edgeStarts[s] ..< edgeStarts[s + 1]`, and their probabilities add up to 1.
    let edges: [Edge]
    let edgeStarts: [Int]
    /// The same edges sorted by character. Those that write c are at `characterStarts[c] ..< characterStarts[c + 1]`.
    let edgesByCharacter: [Edge]
    let characterStarts: [Int]
    /// The stationary distribution: the long-run share of steps in each state.
    let stationary: [Double]

    init(grammar: Grammar) {
        var graph = GrammarGraph(grammar: grammar)
        (edges, start, stateCount) = graph.chain()
        edgeStarts = Self.starts(of: edges.map { Int($0.source) }, count: stateCount)
        edgesByCharacter = edges.sorted { ($0.character, $0.source, $0.target) < ($1.character, $1.source, $1.target) }
        characterStarts = Self.starts(of: edgesByCharacter.map { Int($0.character) }, count: 256)
        stationary = Self.stationary(edges: edges, edgeStarts: edgeStarts, start: start)
    }

    func edges(of state: Int) -> ArraySlice<Edge> { edges[edgeStarts[state]..<edgeStarts[state + 1]] }

    /// A SHA-256 hash of states, edges and probabilities. Grammars with the same hash write the same texts.
    var hash: String {
        let lines = edges.map { "\($0.source) \($0.target) \($0.character) \($0.probability.bitPattern)\n" }
        return Checksum.sha256(of: "start \(start)\n" + lines.joined())
    }

    /// The index at which each key's run starts. `keys` must be in ascending order.
    private static func starts(of keys: [Int], count: Int) -> [Int] {
        var starts = [Int](repeating: 0, count: count + 1)
        for key in keys { starts[key + 1] += 1 }
        for key in 0..<count { starts[key + 1] += starts[key] }
        return starts
    }

    /// The stationary distribution of an irreducible chain. It is proportional to the expected number of visits of each
    /// state between two visits of the start state.
    ///
    /// Probability mass leaves the start and is propagated until it has returned there. The mass that passes through a
    /// state is its expected number of visits. States are processed in an order in which few edges point back, so one
    /// sweep propagates the mass through a whole sentence.
    private static func stationary(edges: [Edge], edgeStarts: [Int], start: Int) -> [Double] {
        let order = forwardOrder(edges: edges, edgeStarts: edgeStarts, start: start)
        var expected = [Double](repeating: 0, count: edgeStarts.count - 1)
        var waiting = expected
        waiting[start] = 1
        var mass = 1.0
        while mass > 1e-18 {
            for state in order where waiting[state] > 0 {
                let weight = waiting[state]
                waiting[state] = 0
                expected[state] += weight
                for edge in edges[edgeStarts[state]..<edgeStarts[state + 1]] where Int(edge.target) != start {
                    waiting[Int(edge.target)] += weight * edge.probability
                }
            }
            mass = waiting.reduce(0, +)
        }
        let total = expected.reduce(0, +)
        return expected.map { $0 / total }
    }

    /// The states in reverse postorder of a depth-first search: all edges point forward, except those that close a
    /// cycle.
    private static func forwardOrder(edges: [Edge], edgeStarts: [Int], start: Int) -> [Int] {
        var postorder: [Int] = []
        var isSeen = [Bool](repeating: false, count: edgeStarts.count - 1)
        var path = [(state: start, edge: edgeStarts[start])]
        isSeen[start] = true
        while let (state, edge) = path.last {
            if edge == edgeStarts[state + 1] {
                postorder.append(state)
                path.removeLast()
                continue
            }
            path[path.count - 1].edge += 1
            let target = Int(edges[edge].target)
            if !isSeen[target] {
                isSeen[target] = true
                path.append((target, edgeStarts[target]))
            }
        }
        return postorder.reversed()
    }
}

/// The graph of a grammar, with nodes that write one character and nodes that choose a branch.
private struct GrammarGraph {
    private enum Node: Hashable {
        case write(UInt8, next: Int)
        case choose([Branch])
    }

    private struct Branch: Hashable {
        var probability: Double
        var next: Int
    }

    private var nodes: [Node] = []
    /// Equal nodes are stored once, so words share their endings, and repeated patterns share all states.
    private var numbers: [Node: Int] = [:]
    private var named: [String: Int] = [:]
    private let startName: String
    private var closures: [Int: [Automaton.Edge]] = [:]

    init(grammar: Grammar) {
        startName = grammar.start
        let names = grammar.rules.keys.sorted()
        // Create placeholders first, because rules can refer to states in any order.
        for name in names {
            named[name] = nodes.count
            nodes.append(.choose([]))
        }
        for name in names {
            let rules = grammar.rules[name]!
            let branches = rules.map { rule in
                precondition(named[rule.next] != nil, "the grammar has no state \(rule.next)")
                return (rule.weight, compile(rule.pattern, next: named[rule.next]!))
            }
            nodes[named[name]!] = .choose(Self.normalized(branches))
        }
    }

    /// The node that writes a pattern and continues with `next`.
    private mutating func compile(_ pattern: Grammar.Pattern, next: Int) -> Int {
        switch pattern {
        case .text(let text):
            return text.utf8.reversed().reduce(next) { number(of: .write($1, next: $0)) }
        case .sequence(let patterns):
            return patterns.reversed().reduce(next) { compile($1, next: $0) }
        case .choice(let choices):
            let branches = choices.map { ($0.weight, compile($0.pattern, next: next)) }
            return number(of: .choose(Self.normalized(branches)))
        }
    }

    private mutating func number(of node: Node) -> Int {
        if let known = numbers[node] { return known }
        nodes.append(node)
        numbers[node] = nodes.count - 1
        return nodes.count - 1
    }

    private static func normalized(_ branches: [(weight: Int, next: Int)]) -> [Branch] {
        let total = branches.reduce(0) { $0 + $1.weight }
        precondition(total > 0, "a choice needs a positive weight")
        return branches.map { Branch(probability: Double($0.weight) / Double(total), next: $0.next) }
    }

    /// Converts the graph to a chain without the nodes that write nothing. The states are the start and the nodes that
    /// follow a written character.
    mutating func chain() -> (edges: [Automaton.Edge], start: Int, stateCount: Int) {
        let start = named[startName]!
        var numberOfState = [start: 0]
        var order = [start]
        var edges: [Automaton.Edge] = []
        var index = 0
        while index < order.count {
            for var edge in closure(of: order[index], depth: 0) {
                let target = Int(edge.target)
                if numberOfState[target] == nil {
                    numberOfState[target] = order.count
                    order.append(target)
                }
                edge.source = Int32(index)
                edge.target = Int32(numberOfState[target]!)
                edges.append(edge)
            }
            index += 1
        }
        return (edges, 0, order.count)
    }

    /// The characters that can be written next at a node, each with the node that follows. Pairs are unique and in a
    /// fixed order.
    private mutating func closure(of node: Int, depth: Int) -> [Automaton.Edge] {
        precondition(depth < 1000, "the grammar has a cycle of choices that write nothing")
        if let known = closures[node] { return known }
        var edges: [Automaton.Edge] = []
        switch nodes[node] {
        case .write(let character, let next):
            edges = [.init(source: 0, target: Int32(next), character: character, probability: 1)]
        case .choose(let branches):
            var places: [[Int]: Int] = [:]
            for branch in branches {
                for var edge in closure(of: branch.next, depth: depth + 1) {
                    edge.probability *= branch.probability
                    let key = [Int(edge.character), Int(edge.target)]
                    if let place = places[key] {
                        edges[place].probability += edge.probability
                    } else {
                        places[key] = edges.count
                        edges.append(edge)
                    }
                }
            }
        }
        closures[node] = edges
        return edges
    }
}
