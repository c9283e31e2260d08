import Datasets
import Formats

/// Which split a document belongs to: a function of a seed and the document's own text, so that it depends neither on its
/// place nor on the other documents, and copies of it never stand in both splits.
///
/// A document is for validation when the first 8 bytes of SHA-256(seed, 8 bytes little-endian; the first 64 KiB of the text),
/// as a big-endian number, are below `validationShare * 2^64`.
struct DocumentSplit: Equatable, Sendable {
    let validationShare: Double
    let seed: UInt64

    static let hashedBytes = 1 << 16

    /// - Parameter start: of the document, as much of it as is at hand up to `hashedBytes`.
    func split(of start: UnsafeRawBufferPointer) -> Dataset.Split {
        let hash = Checksum.word(of: UnsafeRawBufferPointer(rebasing: start.prefix(Self.hashedBytes)), seed: seed)
        // The upper 53 bits are exact as a Double.
        return Double(hash >> 11) < validationShare * Double(1 << 53) ? .validation : .train
    }
}
