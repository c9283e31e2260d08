import Platform

/// A socket of the system, non-blocking, closed at its end unless it is given away.
final class Socket {
    private(set) var descriptor: Int32

    /// Takes a descriptor over.
    init(adopting descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Gives the descriptor away.
    func release() -> Int32 {
        defer { descriptor = -1 }
        return descriptor
    }

    /// Closes now, whoever else holds this object.
    func end() {
        if descriptor >= 0 { close(release()) }
    }

    // MARK: Making

    /// - Throws: `SocketError` with the call and the address.
    static func listening(on address: SocketAddress) throws -> Socket {
        let socket = try Socket(family: address.family)
        var on: Int32 = 1
        setsockopt(socket.descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        if address.family == AF_INET6 {
            // `::` stands for the addresses of both families, whatever the system's setting.
            var only: Int32 = address.host == "::" ? 0 : 1
            setsockopt(socket.descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &only, socklen_t(MemoryLayout<Int32>.size))
        }
        let bound = address.withSystemForm { bind(socket.descriptor, $0, $1) }
        guard bound == 0, listen(socket.descriptor, 1024) == 0 else {
            throw SocketError("cannot listen on \(address)", errno)
        }
        return socket
    }

    /// - Throws: `SocketError`, when the address does not answer by the deadline too.
    static func connected(to address: SocketAddress, by deadline: ContinuousClock.Instant) throws -> Socket {
        let socket = try Socket(family: address.family)
        let started = address.withSystemForm { connect(socket.descriptor, $0, $1) }
        if started != 0 {
            guard errno == EINPROGRESS || errno == EINTR else {
                throw SocketError("cannot connect to \(address)", errno)
            }
            guard socket.wait(for: POLLOUT, by: deadline) else {
                throw SocketError("cannot connect to \(address)", ETIMEDOUT)
            }
            var failure: Int32 = 0
            var length = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(socket.descriptor, SOL_SOCKET, SO_ERROR, &failure, &length)
            guard failure == 0 else { throw SocketError("cannot connect to \(address)", failure) }
        }
        // Where nobody listens on a port of this machine that the system gives to those who connect, a connection may by
        // chance get that very port and reach itself.
        guard socket.localAddress != socket.remoteAddress else {
            // Without this, the system would keep the port for a minute from rank 0, whose it is.
            var now = linger(l_onoff: 1, l_linger: 0)
            setsockopt(socket.descriptor, SOL_SOCKET, SO_LINGER, &now, socklen_t(MemoryLayout<linger>.size))
            throw SocketError("cannot connect to \(address)", ECONNREFUSED)
        }
        socket.sendAtOnce()
        return socket
    }

    /// Takes over a listening socket that whoever started this process opened for it.
    ///
    /// - Parameter text: the number of the descriptor.
    /// - Throws: `SocketError` when it is nothing of the kind.
    static func inherited(_ text: String) throws -> Socket {
        guard let descriptor = Int32(text), descriptor > 2 else { throw SocketError("is no descriptor", nil) }
        var isListening: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &length) == 0 else {
            throw SocketError("is no socket", errno)
        }
        guard isListening != 0 else { throw SocketError("is a socket that does not listen", nil) }
        return Socket(adopting: descriptor)
    }

    /// A connection that waits to be accepted, or nil.
    func accepted() -> Socket? {
        let connection = accept(descriptor, nil, nil)
        guard connection >= 0 else { return nil }
        let socket = Socket(adopting: connection)
        socket.sendAtOnce()
        return socket
    }

    private init(family: Int32) throws {
        descriptor = socket(family, SystemSocket.stream, 0)
        guard descriptor >= 0 else { throw SocketError("cannot make a socket", errno) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    /// Small messages must not wait for larger ones.
    private func sendAtOnce() {
        var on: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    // MARK: Addresses

    var localAddress: SocketAddress? { address(getsockname) }
    var remoteAddress: SocketAddress? { address(getpeername) }

    private func address(
        _ ask: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> SocketAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let failure = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { ask(descriptor, $0, &length) }
        }
        return failure == 0 ? SocketAddress(storage) : nil
    }

    // MARK: Bytes

    /// - Throws: `SocketError` when they are not there by the deadline, or the other side closed.
    func read(_ count: Int, by deadline: ContinuousClock.Instant) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let got = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress! + done, count - done, 0) }
            if got > 0 {
                done += got
            } else if got == 0 {
                throw SocketError("the other side closed the connection", nil)
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                guard wait(for: POLLIN, by: deadline) else { throw SocketError("no answer", ETIMEDOUT) }
            } else if errno != EINTR {
                throw SocketError("receiving failed", errno)
            }
        }
        return bytes
    }

    func write(_ bytes: [UInt8], by deadline: ContinuousClock.Instant) throws {
        var done = 0
        while done < bytes.count {
            let sent = bytes.withUnsafeBytes {
                send(descriptor, $0.baseAddress! + done, $0.count - done, SystemSocket.withoutSignal)
            }
            if sent >= 0 {
                done += sent
            } else if errno == EAGAIN || errno == EWOULDBLOCK {
                guard wait(for: POLLOUT, by: deadline) else { throw SocketError("sending failed", ETIMEDOUT) }
            } else if errno != EINTR {
                throw SocketError("sending failed", errno)
            }
        }
    }

    /// What is there, at most `count` bytes; empty when nothing is; nil when the other side closed or the connection broke.
    func readAvailable(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress!, count, 0) }
        if got > 0 { return Array(bytes[..<got]) }
        return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? [] : nil
    }

    /// Whether the other side closed, or the connection broke, and nothing is left to read.
    var hasEnded: Bool {
        var byte: UInt8 = 0
        let got = recv(descriptor, &byte, 1, .init(MSG_PEEK))
        return got == 0 || (got < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
    }

    private func wait(for events: Int32, by deadline: ContinuousClock.Instant) -> Bool {
        while true {
            let left = deadline - .now
            guard left > .zero else { return false }
            var watched = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            if poll(&watched, 1, left.milliseconds) > 0 { return true }
        }
    }
}

/// A call that failed, for messages: `cannot connect to 10.0.0.1:29500: Connection refused`.
struct SocketError: Error, CustomStringConvertible {
    let description: String
    let code: Int32?

    init(_ what: String, _ code: Int32?) {
        self.code = code
        description = what + (code.map { ": \(errorText($0))" } ?? "")
    }
}

extension Duration {
    /// Rounded up, for `poll`.
    var milliseconds: Int32 {
        let value = (self / .milliseconds(1)).rounded(.up)
        return Int32(max(0, min(value, 1e9)))
    }
}
