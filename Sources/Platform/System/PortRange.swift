/// TCP ports that a process may listen on, written as `15000-19999`.
public struct PortRange: Equatable, Sendable, CustomStringConvertible {
    /// The lowest port, at least 1.
    public let first: UInt16
    /// The highest port, at least `first`.
    public let last: UInt16

    /// The ports that are used unless a user names others. Systems give ports from 32768 on to those who connect, so any of
    /// those may be taken at any moment; ports of jobs that follow from their id are from 20000 to 31999.
    public static let standard = PortRange(first: 15000, last: 19999)

    private init(first: UInt16, last: UInt16) { (self.first, self.last) = (first, last) }

    /// Reads `LOW-HIGH`; nil for anything else, for port 0, and where the first port is above the last.
    public init?(_ text: String) {
        let ports = text.split(separator: "-", omittingEmptySubsequences: false).map { part in
            part.allSatisfy { ("0"..."9").contains($0) } ? UInt16(part) : nil
        }
        guard ports.count == 2, let first = ports[0], let last = ports[1], first >= 1, first <= last else { return nil }
        self.init(first: first, last: last)
    }

    /// How many ports there are.
    public var count: Int { Int(last) - Int(first) + 1 }

    /// As it is read.
    public var description: String { "\(first)-\(last)" }

    /// Every port once, from the place `start` on and round to it: processes of one machine that start at different places
    /// rarely try the same port.
    public func ports(from start: Int) -> some Sequence<UInt16> {
        (0..<count).lazy.map { [first, count] in first + UInt16(($0 + start % count) % count) }
    }
}
