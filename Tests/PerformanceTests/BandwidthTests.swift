import Platform
import Testing

@testable import Performance

@Suite("Network speeds")
struct BandwidthTests {
    @Test(
        "A plain number is in Gb/s; units are bits or bytes per second",
        arguments: [
            ("1", 125e6), ("2.5", 312.5e6), ("1e1", 1.25e9), ("1Gbit", 125e6), ("10Gbit", 1.25e9), ("10gbit/s", 1.25e9),
            ("10 Gb/s", 1.25e9), ("25Gbps", 3.125e9), ("100MB/s", 1e8), ("100MBps", 1e8), ("1GiB/s", 1_073_741_824),
            ("800Mb/s", 1e8), ("1_000kbit", 125e3), ("9600bit", 1200), ("1.5Tbit", 187.5e9), ("3GBytes/s", 3e9),
        ]
    )
    func parses(text: String, bytesPerSecond: Double) throws {
        let found = try Bandwidth(parsing: text).bytesPerSecond
        #expect(abs(found / bytesPerSecond - 1) < 1e-12, "\(text) gave \(found)")
    }

    @Test(
        "Other forms are refused with the accepted forms",
        arguments: ["", "fast", "0", "-1", "10X", "10Gx/s", "Gbit", "10G", "nan", "inf", "1ib", "10Gbit/h"]
    )
    func refuses(text: String) {
        let error = #expect(throws: UserError.self) { try Bandwidth(parsing: text) }
        #expect(error?.kind == .usage)
        #expect(error?.message.hasPrefix("bandwidth=\(text): must be above 0, in Gb/s") == true)
    }

    @Test("Speeds are shown in Gb/s or Mb/s, depending on size")
    func text() throws {
        #expect(try Bandwidth(parsing: "10").text == "10.0 Gb/s")
        #expect(try Bandwidth(parsing: "10MB/s").text == "80.0 Mb/s")
    }
}
