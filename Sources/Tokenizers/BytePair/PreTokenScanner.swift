/// Splits text as GPT-2 does, into the pre-tokens that byte pairs are merged within.
///
/// The pattern is `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, read from left to
/// right. A byte that is not part of well-formed UTF-8 counts as a scalar of its own that is neither letter, number nor
/// space.
struct PreTokenScanner {
    private let text: UnsafeRawBufferPointer
    private let classes: UnsafePointer<UInt8>

    private static let space = UInt8(ascii: " ")
    private static let apostrophe = UInt8(ascii: "'")

    init(_ text: UnsafeRawBufferPointer) {
        self.text = text
        classes = ScalarClasses.shared.values
    }

    /// Where the pre-token ends that begins at `start`, which must be the end of another, or 0.
    @inline(__always)
    func end(from start: Int) -> Int {
        let first = text[start]
        if first == Self.space {
            let (next, length) = scalar(at: start + 1)
            guard next != ScalarClass.space.rawValue else { return endOfSpaces(from: start) }
            // At the end of the text the space stands alone: length is 0 there.
            return length == 0 ? start + 1 : endOfRun(from: start + 1 + length, next)
        }
        if first == Self.apostrophe {
            let end = endOfContraction(from: start)
            if end > 0 { return end }
        }
        let (scalarClass, length) = scalar(at: start)
        if scalarClass == ScalarClass.space.rawValue { return endOfSpaces(from: start) }
        return endOfRun(from: start + length, scalarClass)
    }

    /// The class of the scalar at `position` and its length in bytes; length 0 at the end of the text.
    @inline(__always)
    private func scalar(at position: Int) -> (scalarClass: UInt8, length: Int) {
        guard position < text.count else { return (ScalarClass.other.rawValue, 0) }
        let byte = text[position]
        if byte < 0x80 { return (classes[Int(byte)], 1) }
        let (value, length) = UTF8Scanner.scalar(in: text, at: position)
        return length == 0 ? (ScalarClass.other.rawValue, 1) : (classes[Int(value)], length)
    }

    @inline(__always)
    private func endOfRun(from start: Int, _ scalarClass: UInt8) -> Int {
        var position = start
        while position < text.count {
            let byte = text[position]
            if byte < 0x80 {
                guard classes[Int(byte)] == scalarClass else { break }
                position += 1
            } else {
                let (next, length) = scalar(at: position)
                guard next == scalarClass else { break }
                position += length
            }
        }
        return position
    }

    /// All white space at the end of the text; before anything else all but its last scalar, unless that is all there
    /// is.
    private func endOfSpaces(from start: Int) -> Int {
        var last = start
        var position = start
        while true {
            let (next, length) = scalar(at: position)
            if length == 0 { return position }
            guard next == ScalarClass.space.rawValue else { return last == start ? position : last }
            last = position
            position += length
        }
    }

    /// 0 when the apostrophe at `start` begins no contraction.
    private func endOfContraction(from start: Int) -> Int {
        guard start + 1 < text.count else { return 0 }
        switch text[start + 1] {
        case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
        case UInt8(ascii: "r"), UInt8(ascii: "v"):
            return start + 2 < text.count && text[start + 2] == UInt8(ascii: "e") ? start + 3 : 0
        case UInt8(ascii: "l"):
            return start + 2 < text.count && text[start + 2] == UInt8(ascii: "l") ? start + 3 : 0
        default: return 0
        }
    }
}

// MARK: - Cutting

extension PreTokenScanner {
    /// The last place where a text may be cut in two whose pre-tokens are those of the whole, whatever stood before it
    /// and comes after it; 0 when there is none.
    ///
    /// That is where the class of scalars changes, and the one before is no white space (which looks ahead, or belongs
    /// to what follows) and no apostrophe before a letter. Looks at no more of the text than lies behind the place.
    func lastCut() -> Int {
        var position = text.count
        while position > 1 {
            position -= 1
            let byte = text[position]
            // The last scalar may go on in what comes after.
            guard byte < 0x80 || byte >= 0xC0 && position + 4 <= text.count else { continue }
            let before = scalar(before: position)
            guard before != ScalarClass.space.rawValue else { continue }
            let after = scalar(at: position).scalarClass
            guard before != after else { continue }
            if after == ScalarClass.letter.rawValue, text[position - 1] == Self.apostrophe { continue }
            return position
        }
        return 0
    }

    /// The class of the scalar that ends at `position`, where another one begins.
    private func scalar(before position: Int) -> UInt8 {
        // Well-formed UTF-8 holds no lead byte but at its start, so looking back finds what scanning forward would.
        for length in 1...min(4, position) where text[position - length] & 0xC0 != 0x80 {
            let found = scalar(at: position - length)
            return found.length == length ? found.scalarClass : ScalarClass.other.rawValue
        }
        return ScalarClass.other.rawValue
    }
}
