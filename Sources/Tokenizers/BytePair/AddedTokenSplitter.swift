/// Splits text at added tokens, as PyPI's tokenizers 0.23 does.
///
/// Of contents that begin at the same place the longest is found, and the search goes on behind it. Tokens that are not
/// normalized are searched for first; the others in what these leave. A token that is found and may not stand there
/// (a special one that is not asked for, or a word's part) is text, and so is all that overlaps it.
struct AddedTokenSplitter: Sendable {
    private let recognizesSpecials: Bool
    /// The tokens of one search each.
    private let searches: [AddedTokenTrie]

    /// Nil when no token is ever found.
    init?(_ tokens: [BytePairVocabulary.AddedToken], recognizingSpecials: Bool) {
        guard tokens.contains(where: { recognizingSpecials || !$0.isSpecial }) else { return nil }
        recognizesSpecials = recognizingSpecials
        searches = [tokens.filter { !$0.isNormalized }, tokens.filter(\.isNormalized)]
            .filter { !$0.isEmpty }.map { AddedTokenTrie($0) }
    }

    /// Passes on, in order, the ids of tokens that are found, and the text between them.
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
        // Where the text begins that was not passed on. It moves back where a content begins with white space that the
        // token before it took: tokenizers counts that white space for both, or drops the second one if it has no other.
        var rest = 0
        var position = 0
        // The end of the last white space that was looked through, so that none is looked through for every token in it.
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

    /// The last place where a text may be cut, as `Tokenizer.lastCut(in:)`: no token that is searched for touches it, or
    /// may touch it in what follows.
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

    /// Where the white space before `end` begins, `floor` at the earliest.
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

    /// `\w` of Rust's regular expressions (Unicode Technical Standard 18, annex C), which tokenizers asks. Scalars that
    /// are younger than its version of Unicode, 16, belong to no word.
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
