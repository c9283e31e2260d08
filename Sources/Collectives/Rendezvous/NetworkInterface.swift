import Platform

/// A network interface that is up, with its addresses.
public struct NetworkInterface: Equatable, Sendable {
    /// Such as `eth0`.
    public var name: String
    /// IPv4 and IPv6, as text; IPv6 of a link with its zone, `fe80::1%eth0`.
    public var addresses: [String]
    /// Whether it leads to this machine alone.
    public var isLoopback: Bool

    /// Interfaces that are up and have an address, in the order of the system.
    public static func all() -> [NetworkInterface] {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return [] }
        defer { freeifaddrs(first) }
        var interfaces: [NetworkInterface] = []
        var next = first
        while let entry = next?.pointee {
            next = entry.ifa_next
            guard entry.ifa_flags & UInt32(IFF_UP) != 0, let socket = entry.ifa_addr,
                let address = text(of: socket)
            else { continue }
            let name = String(cString: entry.ifa_name)
            if let index = interfaces.firstIndex(where: { $0.name == name }) {
                interfaces[index].addresses.append(address)
            } else {
                let isLoopback = entry.ifa_flags & UInt32(IFF_LOOPBACK) != 0
                interfaces.append(NetworkInterface(name: name, addresses: [address], isLoopback: isLoopback))
            }
        }
        return interfaces
    }

    /// Nil for addresses of other families, such as those of the hardware.
    private static func text(of address: UnsafeMutablePointer<sockaddr>) -> String? {
        let length: Int
        switch Int32(address.pointee.sa_family) {
        case AF_INET: length = MemoryLayout<sockaddr_in>.size
        case AF_INET6: length = MemoryLayout<sockaddr_in6>.size
        default: return nil
        }
        var host = [CChar](repeating: 0, count: 256)
        guard getnameinfo(address, .init(length), &host, .init(host.count), nil, 0, NI_NUMERICHOST) == 0 else {
            return nil
        }
        return String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
