import Platform
import Synchronization

/// The ring over two connected stream sockets, one to the next rank and one from the previous, both used at once.
///
/// A message is a frame: a header that says which message it is, with a CRC32C over header and bytes, then the bytes, which are
/// received where they belong.
///
/// Only the calls `advance` makes to the system read or write the bytes of messages, so `withdraw` lets go of them by
/// forgetting the messages.
final class TCPTransport: RingTransport {
    private let next: Int32
    private let previous: Int32
    private let nextRank: Int
    private let previousRank: Int
    private var outgoing = Queue<Outgoing>()
    private var incoming = Queue<Incoming>()
    private let aborted = Atomic<Bool>(false)
    private var finished = (sent: 0, received: 0)
    private let board: ProgressBoard
    private var queueLimit: QueueLimit

    /// Takes both sockets over and closes them at its end.
    ///
    /// - Parameters:
    ///   - next: descriptor of a socket that rank `rank + 1` reads.
    ///   - previous: descriptor of a socket that rank `rank - 1` writes.
    ///   - board: where the bytes that come are counted, as a message may take longer than a rank may stand still.
    ///   - timeout: how long a rank may be silent.
    init(
        next: Int32,
        previous: Int32,
        rank: Int,
        worldSize: Int,
        board: ProgressBoard = ProgressBoard(),
        timeout: Duration = .seconds(60)
    ) {
        self.board = board
        queueLimit = QueueLimit(timeout: timeout)
        self.next = next
        self.previous = previous
        nextRank = (rank + 1) % worldSize
        previousRank = (rank + worldSize - 1) % worldSize
        for descriptor in [next, previous] {
            _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
            SystemSocket.silence(descriptor)
        }
    }

    deinit {
        systemClose(next)
        systemClose(previous)
    }

    func send(_ bytes: UnsafeRawBufferPointer, _ label: MessageLabel) throws {
        outgoing.append(Outgoing(header: FrameHeader(label, bytes), bytes: bytes, done: 0))
    }

    func receive(into bytes: UnsafeMutableRawBufferPointer, _ label: MessageLabel) throws {
        incoming.append(Incoming(label: label, bytes: bytes))
    }

    func advance() throws -> (sent: Int, received: Int) {
        while true {
            guard !aborted.load(ordering: .relaxed) else { throw TransportError.aborted }
            try sendWhatGoes()
            try receiveWhatCame()
            if finished != (0, 0) {
                defer { finished = (0, 0) }
                return finished
            }
            try waitForSockets()
        }
    }

    func withdraw() -> Bool {
        outgoing = Queue()
        incoming = Queue()
        return true
    }

    func abort() {
        aborted.store(true, ordering: .relaxed)
        // Wakes a thread that waits for the sockets.
        shutdown(next, Int32(SHUT_RDWR))
        shutdown(previous, Int32(SHUT_RDWR))
    }

    func close() {
        shutdown(next, Int32(SHUT_WR))
    }

    // MARK: Both directions

    private func sendWhatGoes() throws {
        while let isWhole = try outgoing.withFirst({ try $0.write(to: next, peer: nextRank) }) {
            guard isWhole else { return }
            outgoing.removeFirst()
            finished.sent += 1
        }
    }

    /// One message at a time, so that it can be added while it is in cache.
    private func receiveWhatCame() throws {
        guard let isWhole = try incoming.withFirst({ try $0.read(from: previous, peer: previousRank, board) }),
            isWhole
        else {
            return
        }
        try incoming.removeFirst().check(peer: previousRank)
        finished.received += 1
    }

    private func waitForSockets() throws {
        if !outgoing.isEmpty, let roundTrip = queueLimit.adjust(next) { board.measured(roundTrip: roundTrip) }
        var watched: [pollfd] = []
        if !outgoing.isEmpty { watched.append(pollfd(fd: next, events: Int16(POLLOUT), revents: 0)) }
        if !incoming.isEmpty { watched.append(pollfd(fd: previous, events: Int16(POLLIN), revents: 0)) }
        precondition(!watched.isEmpty, "waiting for messages that nobody posted")
        // An abort in the moment before is noticed after a second at most.
        if poll(&watched, nfds_t(watched.count), 1000) < 0, errno != EINTR {
            throw TransportError.closed(peer: previousRank, reason: "poll failed: \(errorText(errno))")
        }
    }

    private struct Outgoing {
        var header: FrameHeader
        let bytes: UnsafeRawBufferPointer
        /// Bytes of the frame that are with the system.
        var done: Int

        /// Writes as much as the socket takes.
        /// - Returns: whether the whole frame is written.
        mutating func write(to descriptor: Int32, peer: Int) throws -> Bool {
            let size = FrameHeader.size + bytes.count
            while done < size {
                let count = header.withBytes { header in
                    withVector(header: UnsafeMutableRawBufferPointer(mutating: header), body: bytes, from: done) {
                        sendMessage(descriptor, $0)
                    }
                }
                guard count >= 0 else {
                    if errno == EINTR { continue }
                    if errno == EAGAIN || errno == EWOULDBLOCK { return false }
                    throw TransportError.closed(peer: peer, reason: "sending failed: \(errorText(errno))")
                }
                done += count
            }
            return true
        }
    }

    private struct Incoming {
        let label: MessageLabel
        let bytes: UnsafeMutableRawBufferPointer
        var header = FrameHeader()
        var done = 0

        /// Reads what is there, of this frame only.
        /// - Returns: whether the whole frame is there.
        mutating func read(from descriptor: Int32, peer: Int, _ board: ProgressBoard) throws -> Bool {
            let size = FrameHeader.size + bytes.count
            while done < size {
                let count = header.withMutableBytes { header in
                    withVector(header: header, body: UnsafeRawBufferPointer(bytes), from: done) {
                        readv(descriptor, $0.baseAddress, Int32($0.count))
                    }
                }
                guard count > 0 else {
                    if count == 0 { throw TransportError.closed(peer: peer, reason: "its connection closed") }
                    if errno == EINTR { continue }
                    if errno == EAGAIN || errno == EWOULDBLOCK { return false }
                    throw TransportError.closed(peer: peer, reason: "receiving failed: \(errorText(errno))")
                }
                done += count
                board.arrived(bytes: count)
                // Bytes of another message must not be taken for this one's.
                if done >= FrameHeader.size, done - count < FrameHeader.size {
                    try header.check(label, bytes.count, peer)
                }
            }
            return true
        }

        func check(peer: Int) throws { try header.checkSum(label, UnsafeRawBufferPointer(bytes), peer) }
    }
}

/// What is left of a frame of which `done` bytes are gone, as one or two pieces.
private func withVector(
    header: UnsafeMutableRawBufferPointer,
    body: UnsafeRawBufferPointer,
    from done: Int,
    _ use: (UnsafeMutableBufferPointer<iovec>) -> Int
) -> Int {
    let bodyDone = max(0, done - header.count)
    var pieces = (
        iovec(iov_base: header.baseAddress! + min(done, header.count), iov_len: max(0, header.count - done)),
        iovec(
            iov_base: UnsafeMutableRawPointer(mutating: body.baseAddress! + bodyDone),
            iov_len: body.count - bodyDone
        )
    )
    return withUnsafeMutableBytes(of: &pieces) { pieces in
        let all = pieces.bindMemory(to: iovec.self)
        return use(done < header.count ? all : UnsafeMutableBufferPointer(rebasing: all[1...]))
    }
}

private func sendMessage(_ descriptor: Int32, _ pieces: UnsafeMutableBufferPointer<iovec>) -> Int {
    var message = msghdr()
    message.msg_iov = pieces.baseAddress
    message.msg_iovlen = .init(pieces.count)
    return sendmsg(descriptor, &message, SystemSocket.withoutSignal)
}

private func systemClose(_ descriptor: Int32) { close(descriptor) }
