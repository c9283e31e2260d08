/// The collectives of bytes round the ring, for what is small or rare.
///
/// All cut their bytes into messages of at most `messageBytes`, and pass each on as soon as it has come.
struct ByteRing {
    let transport: any RingTransport
    let rank: Int
    let worldSize: Int
    let label: MessageLabel
    /// Where messages are counted, as they are posted and done.
    let board: ProgressBoard

    private static let messageBytes = 1 << 18
    private static let window = RingAllReduce.window

    /// Every rank's block to every rank: block r of `bytes` is rank r's, and those of others are filled in.
    func allGather(_ bytes: UnsafeMutableRawBufferPointer, blockSize: Int) throws {
        // In hop t, block rank - t goes on and block rank - 1 - t comes; it goes on in the next hop.
        let pieces = Self.pieces(of: blockSize)
        func piece(_ index: Int, of block: Int) -> Range<Int> {
            let start = (block + 2 * worldSize) % worldSize * blockSize
            let piece = pieces[index % pieces.count]
            return start + piece.lowerBound..<start + piece.upperBound
        }
        let count = (worldSize - 1) * pieces.count
        try run(
            bytes,
            sends: count,
            receives: count,
            sendRange: { piece($0, of: rank - $0 / pieces.count) },
            receiveRange: { piece($0, of: rank - 1 - $0 / pieces.count) },
            waitsFor: { $0 - pieces.count }
        )
    }

    /// The root's bytes to every rank, along the ring from the root to the rank before it.
    func broadcast(_ bytes: UnsafeMutableRawBufferPointer, root: Int) throws {
        let pieces = Self.pieces(of: bytes.count)
        let distance = (rank - root + worldSize) % worldSize
        try run(
            bytes,
            sends: distance == worldSize - 1 ? 0 : pieces.count,
            receives: distance == 0 ? 0 : pieces.count,
            sendRange: { pieces[$0] },
            receiveRange: { pieces[$0] },
            waitsFor: { distance == 0 ? -1 : $0 }
        )
    }

    /// The bytes of rank `sender` to the rank after it, over that one edge of the ring; all others do nothing.
    func pass(_ bytes: UnsafeMutableRawBufferPointer, from sender: Int) throws {
        let pieces = Self.pieces(of: bytes.count)
        try run(
            bytes,
            sends: rank == sender ? pieces.count : 0,
            receives: rank == (sender + 1) % worldSize ? pieces.count : 0,
            sendRange: { pieces[$0] },
            receiveRange: { pieces[$0] },
            waitsFor: { _ in -1 }
        )
    }

    /// - Parameter waitsFor: the receive that must be done before a send; negative for none.
    private func run(
        _ bytes: UnsafeMutableRawBufferPointer,
        sends: Int,
        receives: Int,
        sendRange: (Int) -> Range<Int>,
        receiveRange: (Int) -> Range<Int>,
        waitsFor: (Int) -> Int
    ) throws {
        board.began()
        var (posted, done) = ((sent: 0, received: 0), (sent: 0, received: 0))
        while done != (sends, receives) {
            while posted.received < receives, posted.received - done.received < Self.window {
                let part = UnsafeMutableRawBufferPointer(rebasing: bytes[receiveRange(posted.received)])
                try transport.receive(into: part, label(posted.received))
                posted.received += 1
                board.posted(receives: 1)
            }
            while posted.sent < sends, posted.sent - done.sent < Self.window, waitsFor(posted.sent) < done.received {
                let part = UnsafeRawBufferPointer(rebasing: bytes[sendRange(posted.sent)])
                try transport.send(part, label(posted.sent))
                posted.sent += 1
                board.posted(sends: 1)
            }
            let (sent, received) = try transport.advance()
            done.sent += sent
            done.received += received
            board.moved(sent: sent, received: received)
        }
    }

    private func label(_ index: Int) -> MessageLabel {
        var label = label
        label.index = UInt32(truncatingIfNeeded: index)
        return label
    }

    private static func pieces(of count: Int) -> [Range<Int>] {
        stride(from: 0, to: count, by: messageBytes).map { $0..<min($0 + messageBytes, count) }
    }
}
