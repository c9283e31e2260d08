/// Splits text at added tokens in the same way as the Python package tokenizers 0.23.
///
/// If several contents start at the same place, the longest one is found. The search continues after its end. A first
/// pass finds the tokens that are not normalized. A second pass searches the remaining text for the normalized tokens.
/// A match is plain text, together with everything that overlaps it, if it is a special token that was not requested or
/// a single-word token inside a word.
struct AddedTokenSplitter: Sendable {
    private let recognizesSpecials: Bool
    /// The tokens of each pass.
    private let searches: [AddedTokenTrie]

    /// Returns nil if encoding searches for none of the tokens.
    init?(_ tokens: [BytePairVocabulary.AddedToken], recognizingSpecials: Bool) {
        guard tokens.contains(where: { recognizingSpecials || !$0.isSpecial }) else { return nil }
        recognizesSpecials = recognizingSpecials
        searches = [tokens.filter { !$0.isNormalized }, tokens.filter(\.isNormalized)]
            .filter { !$0.isEmpty }.map { AddedTokenTrie($0) }
    }

    /// Calls `onToken` for each token that is found and `onText` for the text between tokens, in order.
    func split(
        _ text: UnsafeRawBufferPointer,
        onText: (UnsafeRawBufferPointer) -> Void,
        onToken: (Int32) -> Void
    ) {
        split(text, searches[...], onText, onToken)
    }

    private func split(
        _ text: UnsafeRawBufferPointer,
        _ searches: ArraySlice<AddedTokenTrie>,
        _ onText: (UnsafeRawBufferPointer) -> Void,
        _ onToken: (Int32) -> Void
    ) {
        guard let search = searches.first else { return onText(text) }
        func pass(_ range: Range<Int>) {
            split(UnsafeRawBufferPointer(rebasing: text[range]), searches.dropFirst(), onText, onToken)
        }
        // The start of the text that was not passed on yet. It moves back if a content starts with white space that the
        // token before it already includes. tokenizers counts this white space for both tokens, or drops the second
        // token if nothing else is left of it.
        var rest = 0
        var position = 0
        // The end of the last white space that was scanned. Without it, a run of white space would be scanned again for
        // every token in it.
        var spacesEnd = 0
        while position < text.count {
            guard let token = search.match(in: text, at: position) else {
                position += 1
                continue
            }
            var (start, end) = (position, position + token.content.utf8.count)
            position = end
            guard isAllowed(token, at: start..<end, in: text) else { continue }
            if token.stripsLeft { start = Self.startOfSpaces(before: start, after: rest, in: text) }
            if token.stripsRight {
                if end > spacesEnd { spacesEnd = Self.endOfSpaces(from: end, in: text) }
                end = spacesEnd
            }
            if rest < start { pass(rest..<start) }
            if start < end { onToken(token.id) }
            rest = end
        }
        if rest < text.count { pass(rest..<text.count) }
    }

    private func isAllowed(
        _ token: BytePairVocabulary.AddedToken,
        at range: Range<Int>,
        in text: UnsafeRawBufferPointer
    ) -> Bool {
        if token.isSpecial, !recognizesSpecials { return false }
        guard token.isSingleWord else { return true }
        let before = UTF8Scanner.scalar(before: range.lowerBound, in: text)
        let after = range.upperBound < text.count ? UTF8Scanner.scalar(in: text, at: range.upperBound) : (0, 0)
        return !(before.length > 0 && Self.isWord(before.value)) && !(after.1 > 0 && Self.isWord(after.0))
    }

    /// Returns the last place where a text can be cut, like `Tokenizer.lastCut(in:)`. No token overlaps the cut or ends
    /// there, in this text or in any text that continues it.
    func lastCut(in text: UnsafeRawBufferPointer) -> Int {
        var place = PreTokenScanner(text).lastCut()
        while place > 0, isOverlapped(place, in: text) {
            place = PreTokenScanner(UnsafeRawBufferPointer(rebasing: text[..<place])).lastCut()
        }
        return place
    }

    private func isOverlapped(_ place: Int, in text: UnsafeRawBufferPointer) -> Bool {
        searches.contains { search in
            (max(0, place - search.maximumLength)...place).contains { search.reaches(place, in: text, from: $0) }
        }
    }
}

// MARK: - Characters

extension AddedTokenSplitter {
    private static func isSpace(_ scalar: UInt32) -> Bool {
        ScalarClasses.shared.values[Int(scalar)] == ScalarClass.space.rawValue
    }

    /// Returns the start of the white space before `end`, but at least `floor`.
    private static func startOfSpaces(before end: Int, after floor: Int, in text: UnsafeRawBufferPointer) -> Int {
        var start = end
        while start > floor {
            let (scalar, length) = UTF8Scanner.scalar(before: start, in: text)
            guard length > 0, isSpace(scalar) else { break }
            start -= length
        }
        return max(floor, start)
    }

    private static func endOfSpaces(from start: Int, in text: UnsafeRawBufferPointer) -> Int {
        var end = start
        while end < text.count {
            let (scalar, length) = UTF8Scanner.scalar(in: text, at: end)
            guard length > 0, isSpace(scalar) else { break }
            end += length
        }
        return end
    }

    /// Whether a scalar matches `\w` of Rust's regular expressions (Unicode Technical Standard 18, annex C), which
    /// tokenizers uses. They are built on Unicode 16, so scalars of later versions do not match.
    private static func isWord(_ scalar: UInt32) -> Bool {
        guard let properties = Unicode.Scalar(scalar)?.properties, let age = properties.age, age.major <= 16 else {
            return false
        }
        if properties.isAlphabetic || properties.isJoinControl { return true }
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .spacingMark, .decimalNumber, .connectorPunctuation: return true
        default: return false
        }
    }
}
