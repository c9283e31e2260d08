/// What systems declare differently about sockets.
package enum SystemSocket {
    /// `SOCK_STREAM`, as `socket`, `socketpair` and `getaddrinfo` take it.
    package static var stream: Int32 {
        #if canImport(Glibc)
            Int32(SOCK_STREAM.rawValue)
        #else
            SOCK_STREAM
        #endif
    }

    /// Flags of `send` and `sendmsg` with which sending to a peer that has gone is an error, and no SIGPIPE. On macOS there
    /// is no such flag: see `silence`.
    package static var withoutSignal: Int32 {
        #if canImport(Darwin)
            0
        #else
            Int32(MSG_NOSIGNAL)
        #endif
    }

    /// On macOS, makes sending on this socket an error when the peer has gone, and no SIGPIPE.
    package static func silence(_ descriptor: Int32) {
        #if canImport(Darwin)
            var on: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
        #endif
    }

    /// The system's `send`, for types that have a method of that name.
    ///
    /// - Returns: bytes sent, or -1 with the cause in `errno`.
    package static func send(_ bytes: [UInt8], to descriptor: Int32) -> Int { systemSend(descriptor, bytes) }
}

private func systemSend(_ descriptor: Int32, _ bytes: [UInt8]) -> Int {
    send(descriptor, bytes, bytes.count, SystemSocket.withoutSignal)
}
