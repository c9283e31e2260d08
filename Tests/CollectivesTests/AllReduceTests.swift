import CVectorKernels
import Foundation
import Platform
import TestSupport
import Testing

@testable import Collectives

@Suite("All-reduce")
struct AllReduceTests {
    /// Numbers whose sums depend on the order of additions.
    private static func value(rank: Int, index: Int) -> Float {
        var bits = UInt64(rank) &* 0x9E37_79B9_7F4A_7C15 ^ UInt64(index) &* 0xD1B5_4A32_D192_ED03
        bits ^= bits >> 29
        bits &*= 0xBF58_476D_1CE4_E5B9
        bits ^= bits >> 32
        return Float(Int32(truncatingIfNeeded: bits)) / Float(1 << 20)
    }

    /// The sums of all ranks, each of which cuts `count` elements into buckets of `bucket`.
    private static func sums(
        _ worldSize: Int,
        count: Int,
        bucket: Int,
        over transport: RankThreads.Transport
    ) throws -> [[Float]] {
        try RankThreads.run(worldSize, over: transport) { communicator in
            let memory = CollectiveMemory((0..<count).map { value(rank: communicator.rank, index: $0) })
            // From the end to the beginning, as backward finishes them.
            for end in stride(from: count, to: 0, by: -bucket) {
                communicator.startAllReduce(
                    unsafe: memory.floats,
                    range: max(0, end - bucket)..<end,
                    owner: memory
                )
            }
            try communicator.wait()
            return memory.values(count: count)
        }.map { try $0.get() }
    }

    /// The documented order: the owner's successor begins, and the owner is last.
    private static func expected(_ worldSize: Int, count: Int) -> [Float] {
        (0..<count).map { index in
            let owner = index / Stripes.length % worldSize
            var sum = value(rank: (owner + 1) % worldSize, index: index)
            for step in 2..<worldSize + 1 where worldSize > 1 {
                // Each rank adds what came to its own.
                sum = value(rank: (owner + step) % worldSize, index: index) + sum
            }
            return sum
        }
    }

    @Test(
        "Sums have the documented bits over every transport, world size, length and bucket",
        arguments: RankThreads.Transport.allCases,
        [1, 2, 3, 4, 5, 7, 8, 16]
    )
    func sums(transport: RankThreads.Transport, worldSize: Int) throws {
        for count in [1, 3, Stripes.length - 1, 2 * Stripes.length + 5, 5 * Stripes.length] {
            let expected = Self.expected(worldSize, count: count)
            for bucket in [count, max(1, count / 3), 40_000] {
                let sums = try Self.sums(worldSize, count: count, bucket: bucket, over: transport)
                for (rank, sum) in sums.enumerated() where sum != expected {
                    let index = zip(sum, expected).enumerated().first { $1.0 != $1.1 }!.offset
                    Issue.record(
                        "rank \(rank) of \(worldSize), count \(count), bucket \(bucket): element \(index) is \(sum[index]), expected \(expected[index])"
                    )
                }
            }
        }
    }

    @Test("A large buffer passes through many windows", arguments: RankThreads.Transport.allCases)
    func large(transport: RankThreads.Transport) throws {
        let count = 40 * Stripes.length + 17
        let sums = try Self.sums(3, count: count, bucket: count, over: transport)
        #expect(sums[0] == Self.expected(3, count: count))
        #expect(sums[1] == sums[0] && sums[2] == sums[0])
    }

    @Test("The order of additions is seen: another owner gives other bits")
    func orderMatters() {
        let values = (0..<1000).map { index in (0..<3).map { Self.value(rank: $0, index: index) } }
        let differing = values.filter { $0[0] + $0[1] + $0[2] != $0[1] + $0[2] + $0[0] }.count
        #expect(differing > 100)
    }

    @Test("Ranks that sum different lengths are out of step, and told so", arguments: RankThreads.Transport.allCases)
    func outOfStep(transport: RankThreads.Transport) {
        let results = RankThreads.run(2, over: transport) { communicator in
            let count = 100 + communicator.rank
            let memory = CollectiveMemory([Float](repeating: 1, count: count))
            communicator.startAllReduce(unsafe: memory.floats, range: 0..<count, owner: memory)
            try communicator.wait()
        }
        let messages = results.compactMap { if case .failure(let error) = $0 { "\(error)" } else { nil } }
        #expect(messages.contains { $0.contains("where") && $0.contains("due") }, "\(messages)")
    }

    @Test("A flipped bit on the way is found by the checksum", arguments: [0, 3, 30, 5000])
    func corruption(byte: Int) {
        // Rank 0's bytes to rank 1 go through a hand that flips one bit.
        let (out, tapIn) = Communicator.socketPair()
        let (tapOut, into) = Communicator.socketPair()
        let back = Communicator.socketPair()
        let ring = [
            TCPTransport(next: out, previous: back.1, rank: 0, worldSize: 2),
            TCPTransport(next: back.0, previous: into, rank: 1, worldSize: 2),
        ]
        let tap = SystemThread {
            var position = 0
            var buffer = [UInt8](repeating: 0, count: 4096)
            while true {
                let count = read(tapIn, &buffer, buffer.count)
                guard count > 0 else { break }
                if (position..<position + count).contains(byte) { buffer[byte - position] ^= 4 }
                position += count
                guard send(tapOut, buffer, count, SystemSocket.withoutSignal) == count else { break }
            }
            shutdown(tapOut, Int32(SHUT_RDWR))
            close(tapIn)
            close(tapOut)
        }
        let results = RankThreads.run(Communicator.ofOneProcess(ring)) { communicator in
            let memory = CollectiveMemory([Float](repeating: 1, count: 10_000))
            communicator.startAllReduce(unsafe: memory.floats, range: 0..<10_000, owner: memory)
            try communicator.wait()
        }
        tap.join()
        guard case .failure(let error) = results[1] else {
            Issue.record("the flipped bit was summed")
            return
        }
        #expect("\(error)".contains("rank 0 (host0)"), "\(error)")
    }
}

@Suite("CRC32C")
struct CRC32CTests {
    @Test("Known values of RFC 3720")
    func known() {
        let ascending = (0..<32).map { UInt8($0) }
        for (bytes, crc) in [
            ([UInt8](repeating: 0, count: 32), 0x8A91_36AA as UInt32),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
            (ascending, 0x46DD_794E), (ascending.reversed(), 0x113F_DB5C), (Array("123456789".utf8), 0xE306_9283),
        ] {
            #expect(dt_crc32c(0, bytes, bytes.count) == crc)
            #expect(dt_crc32c_by_tables(0, bytes, bytes.count) == crc)
        }
    }

    @Test("Instruction and tables agree on every length, and pieces add up to the whole")
    func agreement() {
        let bytes = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) }
        for count in [0, 1, 7, 8, 9, 12_287, 12_288, 12_289, 24_576, 40_000] {
            let whole = dt_crc32c(0, bytes, count)
            #expect(whole == dt_crc32c_by_tables(0, bytes, count), "\(count)")
            let first = count / 3
            let pieces = bytes.withUnsafeBufferPointer {
                dt_crc32c(dt_crc32c(0, $0.baseAddress, first), $0.baseAddress! + first, count - first)
            }
            #expect(whole == pieces, "\(count)")
        }
    }
}
