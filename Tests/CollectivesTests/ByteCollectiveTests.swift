import TestSupport
import Testing

@testable import Collectives

@Suite("Collectives of bytes")
struct ByteCollectiveTests {
    @Test(
        "A broadcast reaches every rank from every root",
        arguments: RankThreads.Transport.allCases,
        [1, 2, 3, 5, 8]
    )
    func broadcast(transport: RankThreads.Transport, worldSize: Int) throws {
        for count in [1, 1000, 3 << 18 | 5] {
            let results = RankThreads.run(worldSize, over: transport) { communicator in
                var seen: [Bool] = []
                for root in [0, worldSize - 1, worldSize / 2] {
                    let expected = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ root) }
                    let memory =
                        communicator.rank == root ? CollectiveMemory(expected) : CollectiveMemory(byteCount: count)
                    try communicator.broadcast(unsafe: memory.bytes, from: root, owner: memory)
                    seen.append(memory.bytes.elementsEqual(expected))
                }
                return seen
            }
            for result in results { #expect(try result.get() == [true, true, true]) }
        }
    }

    @Test("Bytes pass over one edge of the ring alone", arguments: RankThreads.Transport.allCases, [2, 3, 5])
    func pass(transport: RankThreads.Transport, worldSize: Int) throws {
        let results = RankThreads.run(worldSize, over: transport) { communicator in
            try communicator.members.map { sender in
                let memory = CollectiveMemory([UInt8](repeating: UInt8(communicator.rank), count: 3 << 18 | 5))
                try communicator.pass(unsafe: memory.bytes, from: sender.rank, owner: memory)
                return Set(memory.bytes)
            }
        }
        for (rank, result) in results.enumerated() {
            let before = (rank + worldSize - 1) % worldSize
            #expect(try result.get() == (0..<worldSize).map { [UInt8($0 == before ? before : rank)] })
        }
    }

    @Test("Messages of different lengths are gathered", arguments: RankThreads.Transport.allCases, [1, 2, 3, 4, 16])
    func gather(transport: RankThreads.Transport, worldSize: Int) throws {
        let messages = (0..<worldSize).map { rank in [UInt8](repeating: UInt8(rank), count: rank * rank * 777) }
        let results = RankThreads.run(worldSize, over: transport) { communicator in
            try communicator.allGather(message: messages[communicator.rank])
        }
        for result in results { #expect(try result.get() == messages) }
    }

    @Test("Values, agreement and barrier", arguments: [1, 2, 3, 16])
    func values(worldSize: Int) throws {
        let results = RankThreads.run(worldSize) { communicator in
            let values = try communicator.allGather([Double(communicator.rank), 0.5])
            try communicator.barrier()
            return (values, try communicator.agree(onMaximum: communicator.rank * 10))
        }
        for result in results {
            let (values, maximum) = try result.get()
            #expect(values == (0..<worldSize).map { [Double($0), 0.5] })
            #expect(maximum == (worldSize - 1) * 10)
        }
    }

    @Test("A message of any length is broadcast, an empty one too")
    func message() throws {
        for text in ["", "learning_rate=0.001"] {
            let results = RankThreads.run(3) { communicator in
                try communicator.broadcast(message: communicator.isMain ? Array(text.utf8) : [1, 2, 3])
            }
            for result in results { #expect(try result.get() == Array(text.utf8)) }
        }
    }

    @Test("A rank that goes away ends the others' waiting", arguments: RankThreads.Transport.allCases)
    func loss(transport: RankThreads.Transport) {
        struct Gone: Error {}
        let results = RankThreads.run(3, over: transport) { communicator in
            if communicator.rank == 1 { throw Gone() }
            try communicator.barrier()
        }
        for rank in [0, 2] {
            #expect(throws: CollectiveError.self) { try results[rank].get() }
        }
    }
}
