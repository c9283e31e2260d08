import Platform

/// One end of a control connection. Used by the control thread only; it never blocks.
final class ControlConnection {
    let peer: Int
    /// -1 when closed.
    private(set) var descriptor: Int32
    /// Its good-bye came: that it ends is no failure.
    private(set) var hasLeft = false

    private var outgoing: [UInt8] = []
    private var canWrite = true
    private var isHalfClosed = false
    private var reader = ControlMessageReader()
    private var heartbeats = (sent: UInt64(0), received: UInt64(0))

    /// Takes the descriptor over.
    init(peer: Int, descriptor: Int32) {
        self.peer = peer
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        // In a child process it would stay open when this rank is gone, and nobody would notice.
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        SystemSocket.silence(descriptor)
    }

    deinit { end() }

    var isOpen: Bool { descriptor >= 0 }
    /// There are bytes that the system does not take yet.
    var isWriting: Bool { isOpen && canWrite && !outgoing.isEmpty }
    /// What `poll` is to wait for.
    var events: Int16 { Int16(isWriting ? POLLIN | POLLOUT : POLLIN) }

    func end() {
        guard isOpen else { return }
        close(descriptor)
        descriptor = -1
    }

    // MARK: Sending

    func send(_ message: ControlMessage) {
        guard isOpen, !isHalfClosed else { return }
        outgoing += message.bytes
        flush()
    }

    /// Nothing is sent while the last one has not gone: a peer that does not read must not fill memory.
    func sendHeartbeat(_ report: ProgressReport) {
        guard isOpen, outgoing.isEmpty else { return }
        send(.heartbeat(number: heartbeats.sent, report))
        heartbeats.sent += 1
    }

    func flush() {
        while isWriting {
            let count = SystemSocket.send(outgoing, to: descriptor)
            if count >= 0 {
                outgoing.removeFirst(count)
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                return
            } else if errno != EINTR {
                // What the peer said before it went may still be there to be read, so reading finds out how it ended.
                canWrite = false
            }
        }
    }

    /// Says that nothing more will come, once everything has gone; the other direction stays open.
    func halfClose() {
        flush()
        guard isOpen, !isHalfClosed, !isWriting else { return }
        isHalfClosed = true
        shutdown(descriptor, Int32(SHUT_WR))
    }

    // MARK: Receiving

    /// How a connection ends.
    enum Ending: Equatable {
        /// The process at the other end has gone.
        case closed
        case broken(String)
        case damaged(String)
    }

    /// What has come, in order, and then how the connection ended if it did.
    func receive() -> (messages: [ControlMessage], ending: Ending?) {
        guard isOpen else { return ([], nil) }
        let ending = readAvailable()
        var messages: [ControlMessage] = []
        do throws(ControlMessageReader.Damage) {
            while let message = try reader.next() {
                switch message {
                case .heartbeat(let number, _):
                    guard number == heartbeats.received else {
                        throw ControlMessageReader.Damage(
                            reason: "heartbeat \(number) came where heartbeat \(heartbeats.received) was due"
                        )
                    }
                    heartbeats.received += 1
                case .leaving: hasLeft = true
                case .failure, .suspicion, .stop, .abandoned: break
                }
                messages.append(message)
            }
        } catch {
            // The other direction may be sound, and the peer is to be told.
            if hasLeft || ending != nil { end() }
            return (messages, .damaged(error.reason))
        }
        if ending != nil { end() }
        return (messages, ending)
    }

    /// Reads and throws away.
    /// - Returns: whether the other side has closed.
    func drain() -> Bool {
        guard isOpen else { return true }
        defer { reader = ControlMessageReader() }
        guard readAvailable() == nil else {
            end()
            return true
        }
        return false
    }

    private func readAvailable() -> Ending? {
        // A peer that never pauses must not keep the thread from the others.
        for _ in 0..<16 {
            let (count, code) = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 4096) { buffer in
                let count = recv(descriptor, buffer.baseAddress!, buffer.count, 0)
                if count > 0 { reader.append(buffer.prefix(count)) }
                return (count, errno)
            }
            if count > 0 { continue }
            if count == 0 || code == ECONNRESET || code == EPIPE { return .closed }
            if code == EAGAIN || code == EWOULDBLOCK { return nil }
            if code != EINTR { return .broken(errorText(code)) }
        }
        return nil
    }
}
