import Platform

/// A socket that listens on a free port of 127.0.0.1. Made here and inherited by rank 0, so that nobody can take the
/// port in between.
struct LoopbackListener: ~Copyable {
    /// From 10 on, and closed in children.
    let descriptor: Int32
    let port: UInt16

    /// - Throws: `UserError` when the system refuses.
    init() throws { (descriptor, port) = try Self.open() }

    deinit { close(descriptor) }

    private static func open() throws -> (descriptor: Int32, port: UInt16) {
        let opened = socket(AF_INET, SystemSocket.stream, 0)
        guard opened >= 0 else { throw failure(errno) }
        defer { close(opened) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Int32 in
                guard bind(opened, address, length) == 0, listen(opened, 1024) == 0,
                    getsockname(opened, address, &length) == 0
                else { return errno }
                return 0
            }
        }
        guard code == 0 else { throw failure(code) }
        return (try Descriptor.moved(opened), UInt16(bigEndian: address.sin_port))
    }

    private static func failure(_ code: Int32) -> UserError {
        UserError(.other, "cannot listen on 127.0.0.1: \(errorText(code))")
    }
}
