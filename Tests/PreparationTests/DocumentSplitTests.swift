import Formats
import Testing

@testable import Datasets
@testable import Preparation

@Suite("Document split")
struct DocumentSplitTests {
    @Test(
        "the split depends on SHA-256 of the seed and the first 64 KiB of the document",
        arguments: [1, 65_535, 65_536, 200_000]
    )
    func definition(length: Int) throws {
        let document = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 256) }
        for seed in [0, 2357, 0x0102_0304_0506_0708] as [UInt64] {
            let hashed = (0..<8).map { UInt8(truncatingIfNeeded: seed >> ($0 * 8)) } + document.prefix(65_536)
            let hash = hashed.withUnsafeBytes { Checksum.sha256(of: $0) }
            let word = try #require(UInt64(hash.prefix(16), radix: 16))
            // A share equal to the hash excludes the document, and the next larger share includes it.
            let share = Double(word >> 11) / Double(1 << 53)
            for (share, expected) in [(share, Dataset.Split.train), (share + 0x1p-53, .validation)] {
                let split = DocumentSplit(validationShare: share, seed: seed)
                #expect(document.withUnsafeBytes { split.split(of: $0) } == expected, "seed \(seed)")
            }
        }
    }
}
