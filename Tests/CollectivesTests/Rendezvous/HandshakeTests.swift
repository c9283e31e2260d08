import Testing

@testable import Collectives

@Suite("Handshake")
struct HandshakeTests {
    private let handshake = Handshake(secret: JobSecret("the secret of the tests"))

    private func greeting(_ change: (inout Greeting) -> Void = { _ in }) -> Greeting {
        var greeting = Greeting(
            version: "1",
            job: "tests",
            worldSize: 4,
            rank: 2,
            purpose: .control,
            peer: 0,
            nonce: [UInt8](repeating: 7, count: Greeting.nonceSize)
        )
        change(&greeting)
        return greeting
    }

    @Test("A greeting has its size whatever it says")
    func size() {
        let longer = greeting { ($0.version, $0.job) = (String(repeating: "v", count: 5000), "") }
        #expect(greeting().bytes.count == Greeting.size)
        #expect(longer.bytes.count == Greeting.size)
        #expect(Greeting.rank(in: greeting().bytes) == 2)
    }

    @Test("A proof holds for one greeting and one nonce, under one secret, in one direction")
    func proof() {
        let (bytes, nonce) = (greeting().bytes, Greeting.freshNonce())
        let proof = handshake.proof(bytes, nonce: nonce)
        #expect(handshake.isProof(proof, of: bytes, nonce: nonce))
        #expect(!handshake.isProof(proof, of: bytes, nonce: Greeting.freshNonce()))
        #expect(!Handshake(secret: JobSecret("another secret, long")).isProof(proof, of: bytes, nonce: nonce))
        // What the accepting side signs cannot be sent back to it.
        let answer = Array(handshake.answer(.welcome, bytes, nonce: nonce)[4...])
        #expect(!handshake.isProof(answer, of: bytes, nonce: nonce))
        for index in bytes.indices {
            var altered = bytes
            altered[index] ^= 1
            #expect(!handshake.isProof(proof, of: altered, nonce: nonce), "byte \(index) is not signed")
        }
    }

    @Test("What differs is named")
    func verdicts() {
        let expected = greeting { $0.rank = 0 }
        func verdict(_ change: (inout Greeting) -> Void) -> Verdict {
            Greeting.verdict(on: greeting(change).bytes, expected: expected)
        }
        #expect(verdict { _ in } == .welcome)
        #expect(verdict { $0.nonce = Greeting.freshNonce() } == .welcome)
        #expect(verdict { $0.version = "2" } == .otherVersion)
        #expect(verdict { $0.job = "b" } == .otherJob)
        #expect(verdict { $0.worldSize = 5 } == .otherWorldSize)
        #expect(verdict { $0.rank = 4 } == .otherWorldSize)
        #expect(verdict { $0.purpose = .ring } == .otherPurpose)
        #expect(verdict { $0.peer = 3 } == .otherRank)
    }

    @Test("Nonces are fresh")
    func nonces() { #expect(Set((0..<100).map { _ in Greeting.freshNonce() }).count == 100) }
}
