import Testing

@testable import Collectives

@Suite("Members")
struct MemberTests {
    @Test("A rank is named with its machine")
    func description() {
        #expect("\(Member(rank: 2, host: "node7"))" == "rank 2 (node7)")
    }
}
