import Platform

/// A socket that listens on a free port of 127.0.0.1. Made here and inherited by rank 0, so that nobody can take the
/// port in between.
struct LoopbackListener: ~Copyable {
    /// From 10 on, and closed in children.
    let descriptor: Int32
    let port: UInt16

    /// - Throws: `UserError` when the system refuses.
    init() throws {
        let ports = PortRange.standard
        for port in ports.ports(from: Int.random(in: 0..<ports.count)) {
            guard let opened = try Self.open(port) else { continue }
            (descriptor, self.port) = (opened, port)
            return
        }
        throw UserError(.other, "cannot listen on 127.0.0.1: all ports from \(ports.first) to \(ports.last) are in use")
    }

    deinit { close(descriptor) }

    /// - Returns: nil when the port is in use.
    private static func open(_ port: UInt16) throws -> Int32? {
        let opened = socket(AF_INET, SystemSocket.stream, 0)
        guard opened >= 0 else { throw failure(errno) }
        defer { close(opened) }
        var on: Int32 = 1
        setsockopt(opened, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
                let length = socklen_t(MemoryLayout<sockaddr_in>.size)
                return bind(opened, address, length) == 0 && listen(opened, 1024) == 0 ? 0 : errno
            }
        }
        if code == EADDRINUSE { return nil }
        guard code == 0 else { throw failure(code) }
        return try Descriptor.moved(opened)
    }

    private static func failure(_ code: Int32) -> UserError {
        UserError(.other, "cannot listen on 127.0.0.1: \(errorText(code))")
    }
}
