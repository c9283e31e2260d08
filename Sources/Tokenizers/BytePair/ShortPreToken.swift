/// A pre-token of up to 15 bytes, stored in two words: its bytes, padded with zeros, and its length in the last byte of
/// `high`.
struct ShortPreToken: Equatable {
    static let maximumLength = 15

    var low: UInt64
    var high: UInt64

    /// A placeholder for "no pre-token". Its length is 0, which no pre-token has.
    static let none = ShortPreToken(low: 0, high: 0)

    private init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    /// - Parameters:
    ///   - bytes: The start of the pre-token.
    ///   - length: The length in bytes, from 1 to `maximumLength`.
    ///   - canRead16Bytes: Whether 16 bytes can be read from `bytes`.
    @inline(__always)
    init(_ bytes: UnsafeRawPointer, length: Int, canRead16Bytes: Bool) {
        var low: UInt64 = 0
        var high: UInt64 = 0
        if canRead16Bytes {
            low = UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self))
            if length < 8 {
                low &= 1 << UInt64(length * 8) - 1
            } else {
                high = UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
                high &= 1 << UInt64((length - 8) * 8) - 1
            }
        } else {
            for index in 0..<length {
                let byte = UInt64(bytes.load(fromByteOffset: index, as: UInt8.self))
                if index < 8 { low |= byte << UInt64(index * 8) } else { high |= byte << UInt64(index * 8 - 64) }
            }
        }
        self.init(low: low, high: high | UInt64(length) << 56)
    }

    var length: Int { Int(high >> 56) }

    var bytes: [UInt8] {
        (0..<length).map { index in
            let word = index < 8 ? low : high
            return UInt8(truncatingIfNeeded: word >> UInt64(index % 8 * 8))
        }
    }

    /// Returns a hash of the pre-token: an index into a table of `1 << bits` slots.
    @inline(__always)
    func place(bits: UInt64) -> Int {
        let mixed = (low ^ (high &* 0xC2B2_AE3D_27D4_EB4F)) &* 0x9E37_79B9_7F4A_7C15
        return Int(((mixed ^ (mixed >> 29)) &* 0xBF58_476D_1CE4_E5B9) >> (64 - bits))
    }
}
