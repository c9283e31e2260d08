import Platform
import Testing

@Suite("Byte counts as text")
struct ByteCountTests {
    @Test(
        "byte counts below 1 GB have at most three digits, with tenths below 10 MB",
        arguments: [
            (0, "0.0 MB"), (3_249_999, "3.2 MB"), (3_250_000, "3.3 MB"), (9_999_999, "10.0 MB"), (10_000_000, "10 MB"),
            (431_600_000, "432 MB"), (1_000_000_000, "1.0 GB"), (12_880_189_440, "12.9 GB"),
        ]
    )
    func text(bytes: Int, text: String) { #expect(ByteCount.text(bytes) == text) }

    @Test("the largest byte count can be formatted")
    func largest() { #expect(ByteCount.text(.max) == "9223372036.9 GB") }
}
