import Platform

/// One token a Unicode scalar, as nanoGPT's shakespeare_char: ids are positions in a list of scalars.
public struct CharacterTokenizer: Tokenizer {
    /// `char`.
    public let name = "char"
    /// No character ends a document.
    public let endOfText: Int32? = nil

    /// The scalar of each id.
    public let scalars: [Unicode.Scalar]

    /// Ids by scalar, in pages of 256 scalars; page 0 belongs to all the scalars that are not in the vocabulary.
    private let pages: [Int32]
    /// Where the page of scalars `256 * i ..< 256 * (i + 1)` starts in `pages`.
    private let pageStarts: [Int32]
    private static let absent: Int32 = -1

    /// - Parameter scalars: distinct; nanoGPT's order is ascending.
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

    /// As many as there are scalars.
    public var vocabularySize: Int { scalars.count }

    /// Appends one id for each scalar of UTF-8 text.
    ///
    /// - Throws: `UserError(.data)` naming the byte where the text is no UTF-8, or has a scalar that is not in the
    ///   vocabulary.
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
                    the text is not among the \(vocabularySize) of the vocabulary: leave it out, or train on text that has it
                    """
                )
            }
            ids.append(id)
            position += length
        }
    }

    /// The end of the text, or the start of a scalar that it breaks off in.
    public func lastCut(in text: UnsafeRawBufferPointer) -> Int { UTF8Scanner.lastBoundary(in: text) }

    /// UTF-8 of the scalars; ids outside the vocabulary give nothing.
    public func decode(_ ids: [Int32]) -> [UInt8] {
        var bytes: [UInt8] = []
        for id in ids where id >= 0 && id < scalars.count { bytes.append(contentsOf: UTF8.encode(scalars[Int(id)])!) }
        return bytes
    }

    private func hexadecimal(_ scalar: UInt32) -> String {
        String(scalar, radix: 16, uppercase: true).zeroPadded(to: 4)
    }
}

/// The characters that texts use, collected in one pass over them.
package struct CharacterSurvey {
    package private(set) var characterCount = 0
    /// One bit a scalar.
    private var seen = [UInt64](repeating: 0, count: 0x110000 / 64)

    package init() {}

    /// - Parameters:
    ///   - source: what the text is, for the error.
    ///   - start: the byte of the source that the text begins with.
    /// - Throws: `UserError(.data)` naming source and byte when the text is not UTF-8.
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

    /// The scalars that occur, ascending: the vocabulary, as nanoGPT's `sorted(set(text))`.
    package var scalars: [Unicode.Scalar] {
        (0..<UInt32(0x110000)).filter { seen[Int($0 >> 6)] >> UInt64($0 & 63) & 1 == 1 }.map { Unicode.Scalar($0)! }
    }
}
