import Testing

@testable import Tokenizers

@Suite("UTF-8 check")
struct UTF8CheckTests {
    /// Characters of every length mixed with bytes that are not UTF-8: a Latin-1 é, an overlong form, a surrogate, and
    /// an incomplete character at the end.
    private static let bytes: [UInt8] =
        Array("plain text, then zwölf 日本 𝄞 \0 and".utf8) + [0xE9, 0x20, 0xC0, 0x80, 0x20, 0xED, 0xA0, 0x80]
        + Array("more plain text 日".utf8) + [0xF0, 0x9D]

    @Test("counts and first offsets do not depend on the size of the pieces", arguments: 1...9)
    func pieces(size: Int) {
        var check = UTF8Check(from: 3)
        Self.bytes.withUnsafeBytes { bytes in
            for start in stride(from: 0, to: bytes.count, by: size) {
                check.add(UnsafeRawBufferPointer(rebasing: bytes[start..<min(start + size, bytes.count)]))
            }
        }
        check.finish()
        // Invalid bytes: é has 1, the overlong form 2, the surrogate 3, the incomplete character 2.
        #expect(check.invalid.count == 8)
        #expect(check.invalid.first == Self.bytes.firstIndex(of: 0xE9).map { $0 + 3 })
        #expect(check.nul.count == 1)
        #expect(check.nul.first == Self.bytes.firstIndex(of: 0).map { $0 + 3 })
    }

    @Test("valid UTF-8 has no findings")
    func valid() {
        let text = String(repeating: "Zwölf Boxkämpfer jagen Viktor über den großen Sylter Deich. 日本語 𝄞\n", count: 100)
        #expect(Array(text.utf8).withUnsafeBytes { UTF8Check.firstInvalid(in: $0) } == nil)
        #expect([0x41, 0xFF].withUnsafeBytes { UTF8Check.firstInvalid(in: $0) } != nil)
    }
}
