import Platform

/// What this machine is called and how it can be reached.
public enum LocalNames {
    /// By gethostname; `unknown` when that fails.
    public static var host: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether a host name or an address is this machine's, without asking anybody for names.
    public static func isOwn(_ name: String) -> Bool {
        let (name, host) = (name.lowercased(), host.lowercased())
        if name == host || name == host.prefix(while: { $0 != "." }) || name == "localhost" { return true }
        return SocketAddress(numeric: name, port: 0).map(isOwn) ?? false
    }

    /// Whether a name, such as an alias or one with a domain, leads to an address of this machine.
    public static func resolvesToOwn(_ name: String) -> Bool {
        SocketAddress.resolve(name, port: 0).contains(where: isOwn)
    }

    /// Loopback is this machine whatever the address: a machine's own name often leads to 127.0.1.1.
    private static func isOwn(_ address: SocketAddress) -> Bool {
        address.isLoopback || NetworkInterface.all().contains { $0.addresses.contains(address.host) }
    }

    /// The addresses on which ranks of other machines may reach this one: of the interface that was asked for, or all but
    /// loopback.
    ///
    /// - Parameter interface: a name, an address, or a network such as 10.0.0.0/24 or fd00::/64; empty for any.
    /// - Throws: `CollectiveError.usage` that names the interfaces that are there.
    static func addresses(of interface: String) throws -> [String] {
        let all = NetworkInterface.all()
        if interface.isEmpty { return all.filter { !$0.isLoopback }.flatMap(\.addresses) }
        let named = all.first { $0.name == interface }?.addresses
        let found = named ?? all.flatMap(\.addresses).filter { $0 == interface || isIn($0, network: interface) }
        guard !found.isEmpty else {
            let there = all.map { "\($0.name) (\($0.addresses.joined(separator: ", ")))" }.joined(separator: ", ")
            throw CollectiveError.usage("interface=\(interface): there is none; this machine has \(there)")
        }
        return found
    }

    private static func isIn(_ address: String, network: String) -> Bool {
        let parts = network.split(separator: "/")
        guard parts.count == 2, let bits = Int(parts[1]), bits >= 0, let base = bytes(of: String(parts[0])),
            let own = bytes(of: address), own.count == base.count, bits <= 8 * own.count
        else { return false }
        return zip(own, base).enumerated().allSatisfy { index, pair in
            let left = bits - 8 * index
            return left <= 0 || (pair.0 ^ pair.1) >> UInt8(max(0, 8 - left)) == 0
        }
    }

    /// The 4 or 16 bytes of an address in the order of the network; nil for what is none.
    private static func bytes(of address: String) -> [UInt8]? {
        // A zone, as in fe80::1%eth0, is no part of it.
        let text = String(address.prefix { $0 != "%" })
        for (family, count) in [(AF_INET, 4), (AF_INET6, 16)] {
            var bytes = [UInt8](repeating: 0, count: count)
            if inet_pton(family, text, &bytes) == 1 { return bytes }
        }
        return nil
    }
}
