import Platform

/// What the bytes of token files without a header say about the type of their ids.
///
/// Ids of 32 or 64 bits that are below 65536 look like uint16 ids of which every second one, or three of four, are 0. No text
/// has such tokens, with one exception: a text with a separator of id 0 after each symbol. There the symbols themselves are
/// never 0, so an id 0 among the wide ids tells the two apart.
struct TokenBytes {
    /// Fewer bytes than this say nothing.
    private static let minimumBytes = 64
    /// Bytes of a file that are looked at. What comes later is checked as it is read: as wide ids, narrow ones are beyond any
    /// vocabulary.
    private static let maximumBytes = 1 << 24

    private var byteCount = 0
    /// Whether the upper half of every 32 bits is 0, and the upper half of every 64 bits.
    private var (hasEmptyUpper16, hasEmptyUpper32) = (true, true)
    /// Whether the lower byte of every 16 bits is 0: big-endian ids below 256, of any width.
    private var hasEmptyLowerBytes = true
    /// Whether all are whole numbers as float32, and as float64.
    private var (areFloats32, areFloats64) = (true, true)
    /// Whether there is an id 0 of 32 bits, and one of 64.
    private var (hasZero32, hasZero64) = (false, false)
    /// Whether any bit is set.
    private var hasNonzero = false

    /// Of no file.
    init() {}

    init(_ bytes: UnsafeRawBufferPointer) {
        byteCount = bytes.count
        let words = UnsafeRawBufferPointer(rebasing: bytes[..<(min(bytes.count, Self.maximumBytes) & ~7)])
            .assumingMemoryBound(to: UInt64.self)
        // Most files are ruled out by their first block.
        for start in stride(from: 0, to: words.count, by: 512) where isPossible {
            for word in words[start..<min(start + 512, words.count)] { add(UInt64(littleEndian: word)) }
        }
        if bytes.count % 8 != 0 { (hasEmptyUpper32, areFloats64) = (false, false) }
        if bytes.count % 4 != 0 { (hasEmptyUpper16, areFloats32) = (false, false) }
        if bytes.count % 8 == 4, bytes.suffix(2).contains(where: { $0 != 0 }) { hasEmptyUpper16 = false }
    }

    private var isPossible: Bool {
        hasEmptyUpper16 || hasEmptyUpper32 || hasEmptyLowerBytes || areFloats32 || areFloats64
    }

    private mutating func add(_ word: UInt64) {
        let (low, high) = (UInt32(truncatingIfNeeded: word), UInt32(truncatingIfNeeded: word >> 32))
        hasEmptyUpper16 = hasEmptyUpper16 && word & 0xFFFF_0000_FFFF_0000 == 0
        hasEmptyUpper32 = hasEmptyUpper32 && high == 0
        hasEmptyLowerBytes = hasEmptyLowerBytes && word & 0x00FF_00FF_00FF_00FF == 0
        areFloats32 = areFloats32 && [low, high].allSatisfy { Self.isWhole(Double(Float(bitPattern: $0))) }
        areFloats64 = areFloats64 && Self.isWhole(Double(bitPattern: word))
        hasZero32 = hasZero32 || low == 0 || high == 0
        hasZero64 = hasZero64 || word == 0
        hasNonzero = hasNonzero || word != 0
    }

    private static func isWhole(_ value: Double) -> Bool {
        value >= 0 && value < 16_777_216 && value == value.rounded(.towardZero)
    }

    /// Of both together.
    static func + (first: TokenBytes, second: TokenBytes) -> TokenBytes {
        var sum = first
        sum.byteCount += second.byteCount
        sum.hasEmptyUpper16 = first.hasEmptyUpper16 && second.hasEmptyUpper16
        sum.hasEmptyUpper32 = first.hasEmptyUpper32 && second.hasEmptyUpper32
        sum.hasEmptyLowerBytes = first.hasEmptyLowerBytes && second.hasEmptyLowerBytes
        sum.areFloats32 = first.areFloats32 && second.areFloats32
        sum.areFloats64 = first.areFloats64 && second.areFloats64
        sum.hasZero32 = first.hasZero32 || second.hasZero32
        sum.hasZero64 = first.hasZero64 || second.hasZero64
        sum.hasNonzero = first.hasNonzero || second.hasNonzero
        return sum
    }

    // MARK: - What they are

    /// Whether they can be ids below 65536 of a type.
    func canBe(_ type: TokenType) -> Bool {
        type == .uint16 || hasEmptyUpper16 && (type == .uint32 || hasEmptyUpper32)
    }

    /// The type of the ids: uint16 unless it is sure that they are of another one.
    ///
    /// - Parameters:
    ///   - path: for messages.
    ///   - vocabulary: of the dataset.
    /// - Throws: `UserError(.data)` when they are no little-endian integers, or their type cannot be told.
    func type(path: String, vocabulary: Vocabulary) throws -> TokenType {
        let isConclusive = byteCount >= Self.minimumBytes && hasNonzero
        if vocabulary.size > TokenFile.largestVocabulary {
            return isConclusive && hasEmptyUpper32 ? .uint64 : .uint32
        }
        guard isConclusive else { return .uint16 }
        if hasEmptyLowerBytes { throw Self.refused(path, "the lower byte of every 16 bits is 0", "big-endian") }
        if areFloats32 || areFloats64 {
            throw Self.refused(path, "every value is a whole number as float\(areFloats32 ? 32 : 64)", "floating point")
        }
        guard hasEmptyUpper16 else { return .uint16 }
        // GPT-2's token 0 is an exclamation mark, which is not every second token of a text.
        guard vocabulary.isGPT2 || (hasEmptyUpper32 ? hasZero64 : hasZero32) else {
            throw UserError(
                .data,
                """
                \(path): every second 16-bit value is 0, and no other one: these are ids of 32 or 64 bits, or uint16 ids with \
                a separator after each; save the ids with `numpy.save`, which keeps their type
                """
            )
        }
        return hasEmptyUpper32 ? .uint64 : .uint32
    }

    private static func refused(_ path: String, _ sign: String, _ kind: String) -> UserError {
        UserError(
            .data,
            """
            \(path): \(sign), so its ids are \(kind); write them as little-endian integers, such as \
            `ids.astype('<u2').tofile(path)`
            """
        )
    }
}

/// What is known about the vocabulary of token files without a dataset.json.
struct Vocabulary {
    /// Ids are below it.
    let size: Int
    /// Whether nothing says what the ids stand for, so that they are taken for GPT-2's.
    let isGPT2: Bool
}

extension TokenType {
    /// The type of the ids in those files of a dataset that have no header.
    ///
    /// - Throws: `UserError(.data)` when it cannot be told, or files have different ones.
    static func ofHeaderless(
        train: [TokenFile],
        validation: [TokenFile],
        folder: String,
        vocabulary: Vocabulary
    ) throws -> TokenType {
        func bytes(_ files: [TokenFile]) -> [(path: String, bytes: TokenBytes)] {
            files.compactMap { file in file.withHeaderlessBytes { (file.path, TokenBytes($0)) } }
        }
        let ofTrain = bytes(train)
        guard let first = ofTrain.first else { return .uint16 }
        let type = try ofTrain.map(\.bytes).reduce(TokenBytes(), +).type(path: first.path, vocabulary: vocabulary)
        guard vocabulary.size <= TokenFile.largestVocabulary else { return type }
        for (path, bytes) in ofTrain + bytes(validation) {
            let own = type == .uint16 ? try bytes.type(path: path, vocabulary: vocabulary) : type
            guard own == type, bytes.canBe(type) else {
                let (wide, narrow) = type == .uint16 ? (path, first.path) : (first.path, path)
                throw UserError(
                    .data,
                    """
                    \(folder) mixes token files of different types: in \(wide) every second 16-bit value is 0, in \(narrow) \
                    it is not; write all with one type
                    """
                )
            }
        }
        return type
    }
}
