import Platform

/// An IPv4 or IPv6 address with a port.
struct SocketAddress: Equatable, Sendable, CustomStringConvertible {
    /// Numeric, an IPv6 address of a link with its zone: `fe80::1%eth0`.
    let host: String
    let port: UInt16
    let family: Int32

    var description: String { family == AF_INET6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    var isLoopback: Bool { host.hasPrefix("127.") || host == "::1" }

    /// A numeric address.
    init?(numeric host: String, port: UInt16) {
        guard let address = Self.lookUp(host, port, numericOnly: true).first else { return nil }
        self = address
    }

    private init(host: String, port: UInt16, family: Int32) {
        (self.host, self.port, self.family) = (host, port, family)
    }

    /// The same address with another port.
    func with(port: UInt16) -> SocketAddress { SocketAddress(host: host, port: port, family: family) }

    /// The addresses of a name or a numeric address, as the system orders them.
    static func resolve(_ name: String, port: UInt16) -> [SocketAddress] { lookUp(name, port, numericOnly: false) }

    init?(_ storage: sockaddr_storage) {
        var storage = storage
        let family = Int32(storage.ss_family)
        guard family == AF_INET || family == AF_INET6 else { return nil }
        var host = [CChar](repeating: 0, count: 256)
        let (length, port) = withUnsafeBytes(of: &storage) { bytes in
            family == AF_INET
                ? (MemoryLayout<sockaddr_in>.size, bytes.loadUnaligned(as: sockaddr_in.self).sin_port)
                : (MemoryLayout<sockaddr_in6>.size, bytes.loadUnaligned(as: sockaddr_in6.self).sin6_port)
        }
        let failure = withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getnameinfo($0, socklen_t(length), &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST)
            }
        }
        guard failure == 0 else { return nil }
        self.host = String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        self.port = UInt16(bigEndian: port)
        self.family = family
    }

    /// Calls with the form that the system's functions take.
    func withSystemForm<R>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R? {
        var hints = addrinfo()
        hints.ai_family = family
        hints.ai_flags = AI_NUMERICHOST
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, String(port), &hints, &list) == 0, let first = list else { return nil }
        defer { freeaddrinfo(list) }
        return body(first.pointee.ai_addr, first.pointee.ai_addrlen)
    }

    private static func lookUp(_ name: String, _ port: UInt16, numericOnly: Bool) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = SystemSocket.stream
        if numericOnly { hints.ai_flags = AI_NUMERICHOST }
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, String(port), &hints, &list) == 0 else { return [] }
        defer { freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var next = list
        while let entry = next?.pointee {
            next = entry.ai_next
            var storage = sockaddr_storage()
            memcpy(&storage, entry.ai_addr, Int(entry.ai_addrlen))
            if let address = SocketAddress(storage), !addresses.contains(address) { addresses.append(address) }
        }
        return addresses
    }
}
