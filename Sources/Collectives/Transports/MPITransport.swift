import CMPIShim

/// The ring over MPI's messages between two ranks.
///
/// Each message is two of MPI's: a header that says which it is, with a CRC32C, then the bytes. MPI keeps the order of
/// messages, so receives take the next one whatever it is, and compare its header with what is due: ranks that are out of
/// step are found, where a receive by tag would wait for ever.
///
/// MPI, a peer on the same host or a network adapter may read and write the bytes of a posted message without a call of ours.
/// `withdraw` cancels the receives that no message has met yet; MPI cannot cancel what has begun. Where something is left,
/// `withdraw` returns false, and the memory is never freed.
final class MPITransport: RingTransport, NativeAllReduce {
    let world: MPIWorld
    private let next: Int
    private let previous: Int
    private var outgoing = Queue<Message>()
    private var incoming = Queue<Message>()
    /// MPI was asked to sum and has not said that it has.
    private var isSumming = false

    init(_ world: MPIWorld) {
        self.world = world
        next = (world.rank + 1) % world.worldSize
        previous = (world.rank + world.worldSize - 1) % world.worldSize
    }

    func send(_ bytes: UnsafeRawBufferPointer, _ label: MessageLabel) throws {
        var message = Message(label, bytes, header: FrameHeader(label, bytes))
        let header = UnsafeRawBufferPointer(message.headerBytes)
        try check(world.send(header, to: next, &message.requests.header), peer: next)
        try check(world.send(bytes, to: next, &message.requests.body), peer: next)
        outgoing.append(message)
    }

    func receive(into bytes: UnsafeMutableRawBufferPointer, _ label: MessageLabel) throws {
        var message = Message(label, UnsafeRawBufferPointer(bytes), header: FrameHeader())
        let header = message.headerBytes
        try check(world.receive(into: header, from: previous, &message.requests.header), peer: previous)
        try check(world.receive(into: bytes, from: previous, &message.requests.body), peer: previous)
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

    func withdraw() -> Bool {
        var isFree = !isSumming
        while !incoming.isEmpty {
            if !incoming.removeFirst().withdraw(cancelling: true) { isFree = false }
        }
        while !outgoing.isEmpty {
            if !outgoing.removeFirst().withdraw(cancelling: false) { isFree = false }
        }
        return isFree
    }

    func abort() { world.abort() }

    /// Ends MPI too, on the thread that uses it. What fails here has nobody left to be told.
    func close() {
        do {
            while !(outgoing.isEmpty && incoming.isEmpty) { _ = try advance() }
            try world.finish()
        } catch {}
    }

    func sum(_ floats: UnsafeMutableBufferPointer<Float>) throws {
        isSumming = true
        try world.nativeSum(floats)
        isSumming = false
    }

    // MARK: Completion, in the order of posting

    /// One message at a time, so that it can be added while it is in cache.
    private func receivedFirst() throws -> Bool {
        let isDone = try incoming.withFirst { message in
            if !message.isHeaderDone {
                guard let state = try test(&message.requests.header, peer: previous) else { return false }
                guard !state.is_cut, Int(state.bytes) == FrameHeader.size else {
                    throw TransportError.corrupt(peer: previous, reason: "out of step: what came is no message")
                }
                try message.header.pointee.check(message.label, message.bytes.count, previous)
                message.isHeaderDone = true
            }
            guard let state = try test(&message.requests.body, peer: previous) else { return false }
            guard !state.is_cut, Int(state.bytes) == message.bytes.count else {
                throw TransportError.corrupt(
                    peer: previous,
                    reason: "out of step: it sent another number of bytes than the \(message.bytes.count) it announced"
                )
            }
            try message.header.pointee.checkSum(message.label, message.bytes, previous)
            return true
        }
        guard isDone == true else { return false }
        incoming.removeFirst().end()
        return true
    }

    private func sentFirst() throws -> Bool {
        let isDone = try outgoing.withFirst { message in
            if !message.isHeaderDone {
                guard try test(&message.requests.header, peer: next) != nil else { return false }
                message.isHeaderDone = true
            }
            return try test(&message.requests.body, peer: next) != nil
        }
        guard isDone == true else { return false }
        outgoing.removeFirst().end()
        return true
    }

    /// - Returns: nil while it goes on.
    private func test(_ request: inout dt_mpi_request, peer: Int) throws -> dt_mpi_state? {
        var state = dt_mpi_state()
        try check(dt_mpi_test(&request, &state), peer: peer)
        return state.is_done ? state : nil
    }

    private func check(_ status: Int32, peer: Int) throws {
        guard status != 0 else { return }
        throw TransportError.closed(peer: peer, reason: MPILibrary.errorText(status))
    }

    private struct Message {
        let label: MessageLabel
        let bytes: UnsafeRawBufferPointer
        /// At a place that stays while MPI uses it.
        let header: UnsafeMutablePointer<FrameHeader>
        var requests = (header: dt_mpi_request(), body: dt_mpi_request())
        var isHeaderDone = false

        init(_ label: MessageLabel, _ bytes: UnsafeRawBufferPointer, header: FrameHeader) {
            self.label = label
            self.bytes = bytes
            self.header = .allocate(capacity: 1)
            self.header.initialize(to: header)
        }

        var headerBytes: UnsafeMutableRawBufferPointer {
            UnsafeMutableRawBufferPointer(start: header, count: FrameHeader.size)
        }

        func end() { header.deallocate() }

        /// - Parameter cancelling: whether to cancel the requests, which MPI can do for receives only.
        /// - Returns: whether MPI has let go of the header and the bytes. If not, the header stays allocated too.
        func withdraw(cancelling: Bool) -> Bool {
            let isFree = [requests.header, requests.body].map { request in
                var request = request
                var state = dt_mpi_state()
                if cancelling { dt_mpi_cancel(&request) }
                return dt_mpi_test(&request, &state) == 0 && state.is_done
            }
            if isFree[0] { end() }
            return isFree[0] && isFree[1]
        }
    }
}
