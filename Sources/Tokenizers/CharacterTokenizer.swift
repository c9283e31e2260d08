import Platform

/// A tokenizer with one token per Unicode scalar, as in nanoGPT's shakespeare_char. An id is an index into a list of
/// scalars.
public struct CharacterTokenizer: Tokenizer {
    /// The kind of tokenizer: `char`.
    public let name = "char"
    /// Always nil: no character marks the end of a document.
    public let endOfText: Int32? = nil

    /// The scalar of each id, indexed by id.
    public let scalars: [Unicode.Scalar]

    /// Ids by scalar, in pages of 256 scalars. The first page is empty: it is shared by all ranges of 256 scalars that
    /// contain no scalar of the vocabulary.
    private let pages: [Int32]
    /// By `i`: the index in `pages` where the page of scalars `256 * i ..< 256 * (i + 1)` starts.
    private let pageStarts: [Int32]
    private static let absent: Int32 = -1

    /// Creates a tokenizer in which the id of a scalar is its index in a list.
    ///
    /// - Parameter scalars: The scalars of the vocabulary, each once. nanoGPT sorts them in ascending order.
    public init(scalars: [Unicode.Scalar]) {
        self.scalars = scalars
        var pages = [Int32](repeating: Self.absent, count: 256)
        var pageStarts = [Int32](repeating: 0, count: 0x110000 / 256)
        for (id, scalar) in scalars.enumerated() {
            let page = Int(scalar.value >> 8)
            if pageStarts[page] == 0 {
                pageStarts[page] = Int32(pages.count)
                pages += [Int32](repeating: Self.absent, count: 256)
            }
            let index = Int(pageStarts[page]) + Int(scalar.value & 255)
            precondition(pages[index] == Self.absent, "the scalar \(scalar) has two ids")
            pages[index] = Int32(id)
        }
        self.pages = pages
        self.pageStarts = pageStarts
    }

    /// The number of scalars in the vocabulary.
    public var vocabularySize: Int { scalars.count }

    /// Appends one id for each scalar of UTF-8 text.
    ///
    /// - Throws: `UserError(.data)` with the byte offset where the text is not valid UTF-8 or has a scalar that is not
    ///   in the vocabulary.
    public func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) throws {
        ids.reserveCapacity(ids.count + text.count)
        var position = 0
        while position < text.count {
            let (scalar, length) = UTF8Scanner.scalar(in: text, at: position)
            guard length > 0 else { throw UTF8Scanner.invalid("the text", at: position, in: text) }
            let id = pages[Int(pageStarts[Int(scalar >> 8)]) + Int(scalar & 255)]
            guard id >= 0 else {
                let character = Unicode.Scalar(scalar)!
                throw UserError(
                    .data,
                    """
                    the character \(character.escaped(asASCII: false)) (U+\(hexadecimal(scalar))) at byte \(position) of \
                    the text is not in the vocabulary of \(vocabularySize) characters; remove it, or train on text that \
                    contains it
                    """
                )
            }
            ids.append(id)
            position += length
        }
    }

    /// Returns the length of the text, or the start of its last scalar if that scalar is incomplete.
    public func lastCut(in text: UnsafeRawBufferPointer) -> Int { UTF8Scanner.lastBoundary(in: text) }

    /// Returns the scalars as UTF-8. Ids outside the vocabulary are skipped.
    public func decode(_ ids: [Int32]) -> [UInt8] {
        var bytes: [UInt8] = []
        for id in ids where id >= 0 && id < scalars.count { bytes.append(contentsOf: UTF8.encode(scalars[Int(id)])!) }
        return bytes
    }

    private func hexadecimal(_ scalar: UInt32) -> String {
        String(scalar, radix: 16, uppercase: true).zeroPadded(to: 4)
    }
}

/// Collects the distinct characters of texts in one pass.
package struct CharacterSurvey {
    package private(set) var characterCount = 0
    /// One bit per scalar: set if the scalar occurs.
    private var seen = [UInt64](repeating: 0, count: 0x110000 / 64)

    package init() {}

    /// - Parameters:
    ///   - source: The name of the source for error messages, such as a path.
    ///   - start: The byte offset in the source where `text` starts.
    /// - Throws: `UserError(.data)` with the source and the byte offset if the text is not UTF-8.
    package mutating func add(_ text: UnsafeRawBufferPointer, source: String, from start: Int = 0) throws {
        var position = 0
        while position < text.count {
            let (scalar, length) = UTF8Scanner.scalar(in: text, at: position)
            guard length > 0 else { throw UTF8Scanner.invalid(source, at: position, in: text, from: start) }
            seen[Int(scalar >> 6)] |= 1 << UInt64(scalar & 63)
            characterCount += 1
            position += length
        }
    }

    /// The scalars that occur, in ascending order, like nanoGPT's `sorted(set(text))`.
    package var scalars: [Unicode.Scalar] {
        (0..<UInt32(0x110000)).filter { seen[Int($0 >> 6)] >> UInt64($0 & 63) & 1 == 1 }.map { Unicode.Scalar($0)! }
    }
}
