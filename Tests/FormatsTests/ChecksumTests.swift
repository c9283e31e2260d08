import Formats
import Platform
import TestSupport
import Testing

@Suite("Checksums")
struct ChecksumTests {
    /// The test vectors are from FIPS 180-2, appendix B.
    @Test(
        "SHA-256 gives the digests of the standard's examples",
        arguments: [
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ]
    )
    func sha256(text: String, digest: String) throws {
        let folder = try TemporaryFolder()
        #expect(Checksum.sha256(of: text) == digest)
        try AtomicFile.write(text, to: folder("a"))
        #expect(try Checksum.sha256(ofFile: folder("a")) == digest)
    }
}
