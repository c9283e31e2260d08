import Datasets
import Formats

/// Assigns a document to a split by a hash of its text and a seed. The result does not depend on the position of the
/// document or on other documents, and equal documents are always in the same split.
///
/// The hash is SHA-256 of the seed (8 bytes, little-endian) followed by the first 64 KiB of the text. A document is for
/// validation if the first 8 bytes of the hash, as a big-endian number, are below `validationShare * 2^64`.
struct DocumentSplit: Equatable, Sendable {
    let validationShare: Double
    let seed: UInt64

    static let hashedBytes = 1 << 16

    /// - Parameter start: The start of the document: at least `hashedBytes` bytes, or the whole document if it is
    ///   shorter.
    func split(of start: UnsafeRawBufferPointer) -> Dataset.Split {
        let hash = Checksum.word(of: UnsafeRawBufferPointer(rebasing: start.prefix(Self.hashedBytes)), seed: seed)
        // The upper 53 bits are exact as a Double.
        return Double(hash >> 11) < validationShare * Double(1 << 53) ? .validation : .train
    }
}
