import Testing

@testable import Compute

@Suite("Counter-based random numbers")
struct CounterRandomTests {
    @Test("Philox4x32-10 gives the values that Random123 publishes")
    func knownAnswers() {
        let zero = CounterRandom(key: (0, 0), high: (0, 0, 0))
        #expect(zero.block(0) == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
        let ones = CounterRandom(key: (.max, .max), high: (.max, .max, .max))
        #expect(ones.block(.max) == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
        let digits = CounterRandom(key: (0xa409_3822, 0x299f_31d0), high: (0x85a3_08d3, 0x1319_8a2e, 0x0370_7344))
        #expect(digits.block(0x243f_6a88) == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
    }

    @Test("seed, stream, site, step, item and index each change the numbers")
    func everyCoordinateCounts() {
        let base = CounterRandom(seed: 1, stream: .test, site: 2, step: 3, item: 4)
        let others = [
            CounterRandom(seed: 2, stream: .test, site: 2, step: 3, item: 4),
            CounterRandom(seed: 1 << 32 | 1, stream: .test, site: 2, step: 3, item: 4),
            CounterRandom(seed: 1, stream: .dropout, site: 2, step: 3, item: 4),
            CounterRandom(seed: 1, stream: .test, site: 3, step: 3, item: 4),
            CounterRandom(seed: 1, stream: .test, site: 2, step: 4, item: 4),
            CounterRandom(seed: 1, stream: .test, site: 2, step: 3, item: 5),
        ]
        for other in others { #expect(other.block(7) != base.block(7)) }
        #expect(base.block(7) != base.block(8))
    }

    @Test("uniform, integer and normal numbers have the right distributions")
    func distributions() {
        let random = CounterRandom(seed: 5, stream: .test)
        let count = 20_000
        let uniform = (0..<count).map { random.uniform(UInt32($0)) }
        #expect(uniform.allSatisfy { (0..<1).contains($0) })
        #expect(abs(uniform.reduce(0, +) / Double(count) - 0.5) < 0.01)

        var histogram = [Int](repeating: 0, count: 7)
        for index in 0..<count { histogram[random.integer(UInt32(index), below: 7)] += 1 }
        for bin in histogram { #expect(abs(bin - count / 7) < 250) }  // 5 standard deviations

        let normal = (0..<count).flatMap { index in
            let pair = random.normalPair(UInt32(index))
            return [pair.0, pair.1]
        }
        let mean = normal.reduce(0, +) / Double(normal.count)
        let variance = normal.reduce(0) { $0 + $1 * $1 } / Double(normal.count)
        #expect(abs(mean) < 0.025 && abs(variance - 1) < 0.035)
        #expect(normal.filter { abs($0) > 1.959964 }.count / (normal.count / 100) <= 6)
    }
}
