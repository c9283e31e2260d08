import Testing

@testable import Collectives

@Suite("What ranks of a job have in common")
struct SharedOptionsTests {
    private func difference(
        _ own: [(name: String, value: String)],
        _ main: [(name: String, value: String)]
    ) -> String? {
        // As it goes over the network.
        SharedOptions(bytes: SharedOptions(own).bytes).difference(from: SharedOptions(main))
    }

    @Test("Options that differ are named with both values, the first three of many")
    func named() {
        let main = [("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "")]
        #expect(difference(main, main) == nil)
        #expect(difference([("e", "x=y z"), ("a", "1")], main) == "has e=x=y z (rank 0: none)")
        #expect(
            difference(main.map { ($0.0, $0.1 + "0") }, main)
                == "has a=10 (rank 0: 1), b=20 (rank 0: 2), c=30 (rank 0: 3) and 2 more options that differ"
        )
    }

    @Test("Names that one rank leaves out are not compared")
    func leftOut() {
        #expect(difference([("a", "1"), ("x", "9")], [("a", "1"), ("b", "2")]) == nil)
        #expect(difference([], [("a", "1")]) == nil)
    }

    @Test("Long values are told apart and stay short, and what could deceive on a terminal is a space")
    func bounded() {
        let long = String(repeating: "x", count: 5000)
        #expect(difference([("a", long)], [("a", long)]) == nil)
        let text = difference([("a", long + "1")], [("a", long + "2")])
        #expect(text.map { $0.utf8.count < 300 } == true)
        #expect(difference([("a", "1\n\u{1B}2")], [("a", "3")]) == "has a=1  2 (rank 0: 3)")
    }
}
