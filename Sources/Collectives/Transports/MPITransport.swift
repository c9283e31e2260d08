import CMPIShim

/// The ring over MPI's messages between two ranks.
///
/// MPI keeps the order of messages, so a receive takes the next one whatever its tag, and compares the tag with what is due:
/// ranks that are out of step are found, where a receive of that tag only would wait for ever.
final class MPITransport: RingTransport, NativeAllReduce {
    let world: MPIWorld
    private let next: Int
    private let previous: Int
    private var outgoing = Queue<Outgoing>()
    private var incoming = Queue<Incoming>()

    init(_ world: MPIWorld) {
        self.world = world
        next = (world.rank + 1) % world.worldSize
        previous = (world.rank + world.worldSize - 1) % world.worldSize
    }

    func send(_ bytes: UnsafeRawBufferPointer, _ label: MessageLabel) throws {
        var message = Outgoing()
        let tag = Self.tag(label, largest: world.largestTag)
        try check(world.send(bytes, to: next, tag: tag, &message.request), peer: next)
        outgoing.append(message)
    }

    func receive(into bytes: UnsafeMutableRawBufferPointer, _ label: MessageLabel) throws {
        var message = Incoming(label: label, count: bytes.count)
        try check(world.receive(into: bytes, from: previous, &message.request), peer: previous)
        incoming.append(message)
    }

    func advance() throws -> (sent: Int, received: Int) {
        precondition(!(outgoing.isEmpty && incoming.isEmpty), "waiting for messages that nobody posted")
        var round: Int32 = 0
        while true {
            guard !world.isAborted else { throw TransportError.aborted }
            let received = try receivedFirst() ? 1 : 0
            var sent = 0
            while try sentFirst() { sent += 1 }
            if sent + received > 0 { return (sent, received) }
            dt_mpi_back_off(round)
            round &+= 1
        }
    }

    func abort() { world.abort() }

    /// Ends MPI too, on the thread that uses it. What fails here has nobody left to be told.
    func close() {
        do {
            while !(outgoing.isEmpty && incoming.isEmpty) { _ = try advance() }
            try world.finish()
        } catch {}
    }

    func sum(_ floats: UnsafeMutableBufferPointer<Float>) throws { try world.nativeSum(floats) }

    /// Folds a label into the bits that a tag has, 15 at least: any of its numbers that is not far from its neighbours gives
    /// another tag.
    static func tag(_ label: MessageLabel, largest: Int) -> Int {
        let bits = Int.bitWidth - 1 - (largest + 1).leadingZeroBitCount
        let mixed = label.index &+ label.operation &* 0x9E37_79B1 &+ label.step &* 0x85EB_CA6B
        return Int(mixed) & ((1 << min(bits, 31)) - 1)
    }

    // MARK: Completion, in the order of posting

    /// One message at a time, so that it can be added while it is in cache.
    private func receivedFirst() throws -> Bool {
        let isDone = try incoming.withFirst { message in
            var state = dt_mpi_state()
            try check(dt_mpi_test(&message.request, &state), peer: previous)
            guard state.is_done else { return false }
            let label = message.label
            let due =
                "\(message.count) bytes of message \(label.index) of operation \(label.operation), "
                + "iteration \(label.step), were due"
            guard !state.is_cut else {
                throw TransportError.corrupt(peer: previous, reason: "out of step: it sent more where \(due)")
            }
            guard state.bytes == message.count, state.tag == Self.tag(label, largest: world.largestTag) else {
                throw TransportError.corrupt(
                    peer: previous,
                    reason: "out of step: it sent \(state.bytes) bytes with tag \(state.tag) where \(due)"
                )
            }
            return true
        }
        guard isDone == true else { return false }
        incoming.removeFirst()
        return true
    }

    private func sentFirst() throws -> Bool {
        let isDone = try outgoing.withFirst { message in
            var state = dt_mpi_state()
            try check(dt_mpi_test(&message.request, &state), peer: next)
            return state.is_done
        }
        guard isDone == true else { return false }
        outgoing.removeFirst()
        return true
    }

    private func check(_ status: Int32, peer: Int) throws {
        guard status != 0 else { return }
        throw TransportError.closed(peer: peer, reason: MPILibrary.errorText(status))
    }

    private struct Outgoing {
        var request = dt_mpi_request()
    }

    private struct Incoming {
        var request = dt_mpi_request()
        let label: MessageLabel
        let count: Int
    }
}
