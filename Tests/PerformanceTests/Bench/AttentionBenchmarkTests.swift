import Formats
import Platform
import Testing

@testable import Performance

@Suite("Comparison of tiled and plain attention")
struct AttentionBenchmarkTests {
    /// Results are sums of at most 150 products of numbers below 1. Their weights add up to 1 (outputs) or to about ln
    /// 150 (gradients of keys and values). The error of a weight is about 1e-6, because scores are sums of 8 products
    /// and the error of exp is 2e-7. A wrong scale, mask or row would cause differences of 1e-2 and more.
    private static let tolerance = 1e-5

    @Test("Outputs and gradients agree, for whole and partial tiles", arguments: [1, 64, 100, 150])
    func difference(length: Int) throws {
        let benchmark = AttentionBenchmark(headCount: 3, headSize: 8, lengths: [length], threads: 2, repetitions: 1)
        let comparison = try #require(try benchmark.run().first)
        let output = try #require(comparison.outputDifference)
        let gradient = try #require(comparison.gradientDifference)
        #expect(output < Self.tolerance)
        #expect(gradient < Self.tolerance)
        // Both forms round differently. A difference of exactly 0 would mean that a result is compared with itself.
        if length > 64 { #expect(output > 0 && gradient > 0) }
        let plain = try #require(comparison.plain)
        #expect(plain.bytes == 4 * (3 + 2) * length * length)
        #expect(comparison.tiled.seconds > 0 && plain.seconds > 0)
    }

    @Test("The memory of the tiled form grows linearly with the length")
    func memory() throws {
        let benchmark = AttentionBenchmark(headCount: 2, headSize: 4, lengths: [256, 1024], threads: 1, repetitions: 1)
        let bytes = try benchmark.run().map { Double($0.tiled.bytes) }
        #expect(bytes[1] / bytes[0] < 4.01)
    }

    @Test("The table and the JSON object have one entry per length")
    func report() throws {
        let benchmark = AttentionBenchmark(headCount: 1, headSize: 4, lengths: [8, 16], threads: 1, repetitions: 2)
        let comparisons = try benchmark.run()
        #expect(benchmark.lines(comparisons).suffix(2).map { $0.prefix(6) } == ["     8", "    16"])
        let json = try JSONValue(parsing: Array(benchmark.json(comparisons).text().utf8))
        #expect(json["attention"]?.arrayValue?.map { $0["block_size"] } == [.integer(8), .integer(16)])
    }

    @Test("A length that does not fit in memory is refused, even if its bytes overflow an integer")
    func tooLong() {
        for length in [1 << 40, 1 << 52] {
            let benchmark = AttentionBenchmark(headCount: 2, headSize: 4, lengths: [length], threads: 1, repetitions: 1)
            let error = #expect(throws: UserError.self) { try benchmark.run() }
            #expect(error?.message.hasPrefix("block_size=\(length): attention over this many tokens needs ") == true)
        }
    }
}
