import Formats

/// A grammar as a Markov chain: each step writes one character and moves to another state.
struct Automaton: Sendable {
    struct Edge: Sendable {
        var source: Int32
        var target: Int32
        var character: UInt8
        var probability: Double
    }

    let stateCount: Int
    /// The state in which a text begins.
    let start: Int
    /// All edges, those of state s at `edgeStarts[s] ..< edgeStarts[s + 1]`; their probabilities add up to 1.
    let edges: [Edge]
    let edgeStarts: [Int]
    /// The same edges by character: those that write c at `characterStarts[c] ..< characterStarts[c + 1]`.
    let edgesByCharacter: [Edge]
    let characterStarts: [Int]
    /// The share of time that the chain spends in each state in the long run.
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

    /// SHA-256 over states and edges with their probabilities: two grammars with one hash write the same texts.
    var hash: String {
        let lines = edges.map { "\($0.source) \($0.target) \($0.character) \($0.probability.bitPattern)\n" }
        return Checksum.sha256(of: "start \(start)\n" + lines.joined())
    }

    /// For keys in ascending order, where each key's run starts.
    private static func starts(of keys: [Int], count: Int) -> [Int] {
        var starts = [Int](repeating: 0, count: count + 1)
        for key in keys { starts[key + 1] += 1 }
        for key in 0..<count { starts[key + 1] += starts[key] }
        return starts
    }

    /// The stationary distribution of an irreducible chain: in proportion to how often each state is expected between two
    /// visits of the start.
    ///
    /// Mass that leaves the start is followed until it is back there; what a state passes on counts as visits of it. States
    /// come in an order in which few edges point back, so that one sweep follows the mass through a whole sentence.
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

    /// The states in reverse postorder of a depth-first search: edges point forward, but for those that close a cycle.
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

/// The grammar's graph before it is a chain: nodes that write one character, and nodes that choose.
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
    /// Equal nodes are made once, so that words share their ends and repeated patterns all their states.
    private var numbers: [Node: Int] = [:]
    private var named: [String: Int] = [:]
    private let startName: String
    private var closures: [Int: [Automaton.Edge]] = [:]

    init(grammar: Grammar) {
        startName = grammar.start
        let names = grammar.rules.keys.sorted()
        // Placeholders first: rules refer to states in any order.
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

    /// The node that writes a pattern and goes on with `next`.
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
        precondition(total > 0, "a choice between nothing")
        return branches.map { Branch(probability: Double($0.weight) / Double(total), next: $0.next) }
    }

    /// Removes the nodes that write nothing: the states are the nodes that are reached by writing, from the start on.
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

    /// What can be written next at a node, with the node that follows; each pair once, in a fixed order.
    private mutating func closure(of node: Int, depth: Int) -> [Automaton.Edge] {
        precondition(depth < 1000, "the grammar can choose for ever without writing")
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
