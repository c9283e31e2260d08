import Testing

@testable import Collectives

@Suite("Queues on slow links")
struct QueueLimitTests {
    private func limit(_ now: Int?, _ inFlight: Int, milliseconds: Int) -> Int? {
        QueueLimit.limit(
            now: now,
            inFlight: inFlight,
            roundTrip: .milliseconds(milliseconds),
            target: .milliseconds(400)
        )
    }

    @Test("Where data waits longer than heartbeats may, the queue becomes shorter, within bounds")
    func shorter() {
        #expect(limit(nil, 160_000, milliseconds: 3200) == 20_000)
        #expect(limit(20_000, 40_000, milliseconds: 800) == nil)
        #expect(limit(20_000, 20_000, milliseconds: 800) == 10_000)
        #expect(limit(10_000, 0, milliseconds: 800) == 4096)
        #expect(limit(4096, 4000, milliseconds: 9000) == nil)
    }

    @Test("A link that is fast again gets its queue back, and one that was never slow keeps the system's own")
    func longer() {
        #expect(limit(nil, 160_000, milliseconds: 1) == nil)
        #expect(limit(20_000, 10_000, milliseconds: 200) == nil)
        #expect(limit(20_000, 10_000, milliseconds: 50) == 40_000)
        #expect(limit(1 << 20, 10_000, milliseconds: 1) == nil)
    }
}
