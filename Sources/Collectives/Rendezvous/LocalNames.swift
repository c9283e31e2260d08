#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// What this machine is called and how it can be reached.
public enum LocalNames {
    public static var host: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "unknown" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Whether a host name or an address is this machine's.
    public static func isOwn(_ name: String) -> Bool {
        if name == host || name == host.prefix(while: { $0 != "." }) || name == "localhost" { return true }
        return NetworkInterface.all().contains { $0.addresses.contains(name) }
    }

    /// The addresses on which ranks of other machines may reach this one: of the interface that was asked for, or all but
    /// loopback.
    ///
    /// - Parameter interface: a name, an address, or a network such as 10.0.0.0/24; empty for any.
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

    /// IPv4 only.
    private static func isIn(_ address: String, network: String) -> Bool {
        let parts = network.split(separator: "/")
        guard parts.count == 2, let bits = UInt32(parts[1]), bits <= 32, let base = word(String(parts[0])),
            let own = word(address)
        else { return false }
        let mask: UInt32 = bits == 0 ? 0 : ~0 << (32 - bits)
        return own & mask == base & mask
    }

    private static func word(_ address: String) -> UInt32? {
        let bytes = address.split(separator: ".").map { UInt8($0) }
        guard bytes.count == 4, !bytes.contains(nil) else { return nil }
        return bytes.reduce(0) { $0 << 8 | UInt32($1!) }
    }
}
