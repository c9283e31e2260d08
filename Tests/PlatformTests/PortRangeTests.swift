import Platform
import Testing

@Suite("Ranges of ports")
struct PortRangeTests {
    @Test("What is read is written again", arguments: ["1-65535", "15000-19999", "7-7"])
    func read(text: String) { #expect(PortRange(text)?.description == text) }

    @Test(
        "Anything but two ports, the lower one first, is no range",
        arguments: [
            "", "-", "1", "1-", "-1", "2-1", "0-5", "1-65536", "1-2-3", "a-b", "1 - 2", "+1-2", "1--2", "١-٢", "1:2",
        ]
    )
    func refused(text: String) { #expect(PortRange(text) == nil) }

    @Test("Every port comes once, from any place on", arguments: [0, 1, 2, 3, 1_000_001])
    func order(start: Int) throws {
        let range = try #require(PortRange("65533-65535"))
        let ports = Array(range.ports(from: start))
        #expect(ports.sorted() == [65533, 65534, 65535])
        #expect(Int(ports[0]) == 65533 + start % 3)
    }
}
