import Platform

/// Determines the type of the ids in token files without a header, from their bytes.
///
/// Ids of 32 or 64 bits that are below 65536 look like uint16 ids of which every second one, or three of four, are 0.
/// Real text does not have such uint16 tokens, except a text with a separator of id 0 after each symbol. In that text
/// the symbols are never 0, so an id 0 among the wide ids rules it out.
struct TokenBytes {
    /// Fewer bytes are not conclusive.
    private static let minimumBytes = 64
    /// The maximum number of bytes per file that are examined. Later bytes are checked when they are read: narrow ids
    /// that are read as wide ones exceed any vocabulary.
    private static let maximumBytes = 1 << 24

    private var byteCount = 0
    /// Whether the upper half of every 32 bits is 0, and whether the upper half of every 64 bits is 0.
    private var (hasEmptyUpper16, hasEmptyUpper32) = (true, true)
    /// Whether the lower byte of every 16 bits is 0, as in big-endian ids below 256 of any width.
    private var hasEmptyLowerBytes = true
    /// Whether all values are whole numbers if read as float32, and if read as float64.
    private var (areFloats32, areFloats64) = (true, true)
    /// Whether there is an id 0 of 32 bits, and whether there is one of 64 bits.
    private var (hasZero32, hasZero64) = (false, false)
    /// Whether any byte is not 0.
    private var hasNonzero = false

    /// The findings for no file, which are neutral for `+`.
    init() {}

    init(_ bytes: UnsafeRawBufferPointer) {
        byteCount = bytes.count
        let words = UnsafeRawBufferPointer(rebasing: bytes[..<(min(bytes.count, Self.maximumBytes) & ~7)])
            .assumingMemoryBound(to: UInt64.self)
        // Most files rule out all other types in their first block.
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

    /// The findings for both together.
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

    // MARK: - The type

    /// Whether the bytes can be ids of this type that are below 65536.
    func canBe(_ type: TokenType) -> Bool {
        type == .uint16 || hasEmptyUpper16 && (type == .uint32 || hasEmptyUpper32)
    }

    /// The type of the ids: uint16 unless the bytes prove another type.
    ///
    /// - Parameters:
    ///   - path: the file's path, for messages.
    ///   - vocabulary: the vocabulary of the dataset.
    /// - Throws: `UserError(.data)` if the ids are not little-endian integers or their type is ambiguous.
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
        // GPT-2's token 0 is an exclamation mark, which cannot be every second token of a text.
        guard vocabulary.isGPT2 || (hasEmptyUpper32 ? hasZero64 : hasZero32) else {
            throw UserError(
                .data,
                """
                \(path): every second 16-bit value is 0 and no other, so the type is ambiguous: ids of 32 or 64 bits, \
                or uint16 ids with a separator after each; save the ids with `numpy.save`, which records the type
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

/// The vocabulary of token files without a dataset.json.
struct Vocabulary {
    /// All ids are below this number.
    let size: Int
    /// Whether the vocabulary is assumed to be GPT-2's, because no file defines it.
    let isGPT2: Bool
}

extension TokenType {
    /// The common type of the ids in the files of a dataset that have no header.
    ///
    /// - Throws: `UserError(.data)` if the type is ambiguous or the files have different types.
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
                    \(folder) mixes token files of different types: every second 16-bit value is 0 in \(wide), but not \
                    in \(narrow); write all files with the same type
                    """
                )
            }
        }
        return type
    }
}
