/// Splits text into pre-tokens as GPT-2 does. Merges never cross the boundary of a pre-token.
///
/// The pattern is `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, and the first
/// alternative that matches is used. A byte that is not part of well-formed UTF-8 counts as one scalar that is neither
/// letter, number nor space.
struct PreTokenScanner {
    private let text: UnsafeRawBufferPointer
    private let classes: UnsafePointer<UInt8>

    private static let space = UInt8(ascii: " ")
    private static let apostrophe = UInt8(ascii: "'")

    init(_ text: UnsafeRawBufferPointer) {
        self.text = text
        classes = ScalarClasses.shared.values
    }

    /// Returns the end of the pre-token that starts at `start`, which must be 0 or the end of another pre-token.
    @inline(__always)
    func end(from start: Int) -> Int {
        let first = text[start]
        if first == Self.space {
            let (next, length) = scalar(at: start + 1)
            guard next != ScalarClass.space.rawValue else { return endOfSpaces(from: start) }
            // At the end of the text, where length is 0, the space is a pre-token of its own.
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

    /// Returns the class of the scalar at `position` and its length in bytes, which is 0 at the end of the text.
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

    /// Returns the end of the pre-token of white space that starts at `start`. It includes the last scalar of the white
    /// space only at the end of the text, or if it is the only scalar.
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

    /// Returns the end of the contraction at the apostrophe at `start`, or 0 if there is no contraction.
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
    /// Returns the last place where a text can be cut without changing its pre-tokens, whatever text precedes or
    /// follows it, or 0 if there is none.
    ///
    /// At such a place, the class of scalars changes. The scalar before it must not be white space, whose pre-token
    /// depends on what follows, and must not be an apostrophe before a letter. Reads only the text after the place and
    /// the scalar before it.
    func lastCut() -> Int {
        var position = text.count
        while position > 1 {
            position -= 1
            let byte = text[position]
            // The last scalar may be incomplete, with more bytes in the following text.
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

    /// Returns the class of the scalar that ends at `position`. Another scalar must start at `position`.
    private func scalar(before position: Int) -> UInt8 {
        // Only the first byte of a well-formed scalar is a lead byte, so scanning backward finds the same scalar as
        // scanning forward.
        for length in 1...min(4, position) where text[position - length] & 0xC0 != 0x80 {
            let found = scalar(at: position - length)
            return found.length == length ? found.scalarClass : ScalarClass.other.rawValue
        }
        return ScalarClass.other.rawValue
    }
}
