import Testing

@testable import Collectives

@Suite("Control messages")
struct ControlMessageTests {
    static let report = ProgressReport(
        activity: .waiting,
        stage: .openingDataset,
        work: 1,
        operations: 0x0102_0304_0506_0708,
        offered: 2,
        sent: 3,
        wanted: .max,
        received: 4,
        arrived: 5,
        roundTrip: 6
    )
    static let messages: [ControlMessage] = [
        .heartbeat(number: 7, report),
        .failure(Failure(culprit: "rank 2 (nödé7)", reason: "its connection closed")),
        .failure(Failure(culprit: "", reason: "")),
        .leaving, .stop, .abandoned,
        .suspicion(Failure(culprit: "the link between rank 1 and rank 2", reason: "its connection closed")),
    ]

    private static func read(_ bytes: [UInt8]) throws -> [ControlMessage] {
        var reader = ControlMessageReader()
        reader.append(bytes)
        var messages: [ControlMessage] = []
        while let message = try reader.next() { messages.append(message) }
        return messages
    }

    @Test("Bytes are as documented, in little-endian order")
    func bytes() {
        let header: [UInt8] = [0x44, 0x44, 0x50, 0x43]
        let leaving = ControlMessage.leaving.bytes
        #expect(leaving.count == 11 && Array(leaving.prefix(7)) == header + [3, 0, 0])
        let failure = ControlMessage.failure(Failure(culprit: "ab", reason: "c")).bytes
        #expect(Array(failure.prefix(12)) == header + [2, 5, 0, 2, 0, 0x61, 0x62, 0x63])
        let heartbeat = ControlMessage.heartbeat(number: 0x0201, Self.report).bytes
        #expect(Array(heartbeat.prefix(7)) == header + [1, 74, 0])
        #expect(
            Array(heartbeat[7..<33]) == [1, 2, 0, 0, 0, 0, 0, 0, 2, 2, 1, 0, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 4, 3, 2, 1]
        )
    }

    @Test("What is sent comes, in pieces of any size", arguments: [1, 2, 5, 11, 1000])
    func pieces(size: Int) throws {
        let bytes = Self.messages.flatMap(\.bytes)
        var reader = ControlMessageReader()
        var found: [ControlMessage] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            reader.append(bytes[start..<min(start + size, bytes.count)])
            while let message = try reader.next() { found.append(message) }
        }
        #expect(found == Self.messages)
    }

    @Test("Every flipped bit is found, or leaves the message incomplete", arguments: messages)
    func flips(message: ControlMessage) {
        let bytes = message.bytes
        for index in bytes.indices {
            for bit in 0..<8 {
                var damaged = bytes
                damaged[index] ^= 1 << bit
                #expect((try? Self.read(damaged)) ?? [] == [], "byte \(index), bit \(bit)")
            }
        }
    }

    @Test("Damage shows before the rest has come")
    func early() {
        #expect(throws: ControlMessageReader.Damage(reason: "what came is no control message")) {
            try Self.read(Array("G".utf8))
        }
        for (kind, length) in [(0, 0), (6, 0), (5, 1), (4, 1), (1, 56), (3, 1), (2, 1), (2, 4097), (2, 65535)] {
            #expect(
                throws: ControlMessageReader.Damage(
                    reason: "a control message of kind \(kind) with \(length) bytes came, which does not exist"
                )
            ) { try Self.read(ControlMessage.magic + [UInt8(kind), UInt8(length & 255), UInt8(length >> 8)]) }
        }
    }

    @Test("A failure of any length fits, as one line that is whole UTF-8")
    func bounded() throws {
        let failure = Failure(
            culprit: String(repeating: "é", count: 4000),
            reason: "a\u{1B}[2J\nb\u{7F}" + String(repeating: "語", count: 4000)
        ).bounded
        #expect(failure.reason.hasPrefix("a [2J b 語") && failure.culprit.hasSuffix("é…"))
        #expect(failure == failure.bounded)
        #expect(try Self.read(ControlMessage.failure(failure).bytes) == [.failure(failure)])
    }
}
