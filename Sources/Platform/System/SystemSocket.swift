/// Socket constants and calls that differ between systems.
package enum SystemSocket {
    /// `SOCK_STREAM` with the type that `socket`, `socketpair` and `getaddrinfo` take.
    package static var stream: Int32 {
        #if canImport(Glibc)
            Int32(SOCK_STREAM.rawValue)
        #else
            SOCK_STREAM
        #endif
    }

    /// Flags for `send` and `sendmsg`, so that sending to a closed connection returns an error and raises no SIGPIPE.
    /// macOS has no such flag; use `silence` there.
    package static var withoutSignal: Int32 {
        #if canImport(Darwin)
            0
        #else
            Int32(MSG_NOSIGNAL)
        #endif
    }

    /// On macOS, makes sending on a closed connection return an error and raise no SIGPIPE. Does nothing elsewhere.
    package static func silence(_ descriptor: Int32) {
        #if canImport(Darwin)
            var on: Int32 = 1
            setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, socklen_t(MemoryLayout<Int32>.size))
        #endif
    }

    /// How long data of a TCP connection takes to be answered now, and how many bytes are on their way; nil where the system does
    /// not tell.
    package static func queue(_ descriptor: Int32) -> (roundTrip: Duration, inFlight: Int)? {
        #if os(Linux)
            // The beginning of Linux's `struct tcp_info`, in words of four bytes.
            var words = [UInt32](repeating: 0, count: 26)
            var size = socklen_t(words.count * MemoryLayout<UInt32>.stride)
            let tcpInfo: Int32 = 11
            guard getsockopt(descriptor, Int32(IPPROTO_TCP), tcpInfo, &words, &size) == 0, size >= 72 else {
                return nil
            }
            let (segment, unanswered, microseconds) = (words[4], words[6], words[17])
            return (.microseconds(Int64(microseconds)), Int(segment) * Int(unanswered))
        #else
            return nil
        #endif
    }

    /// Lets a connection hold at most about so many bytes that are not answered.
    package static func limitQueue(_ descriptor: Int32, to bytes: Int) {
        var value = Int32(clamping: bytes)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The system's `send`, for types that have a method `send` themselves.
    ///
    /// - Returns: the number of bytes sent, or -1 with the cause in `errno`.
    package static func send(_ bytes: [UInt8], to descriptor: Int32) -> Int { systemSend(descriptor, bytes) }
}

private func systemSend(_ descriptor: Int32, _ bytes: [UInt8]) -> Int {
    send(descriptor, bytes, bytes.count, SystemSocket.withoutSignal)
}
