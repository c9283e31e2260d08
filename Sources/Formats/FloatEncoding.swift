/// A number format in a file that can be decoded to floats.
public enum FloatEncoding: Sendable {
    case float64, float32, float16, bfloat16

    /// The size of a number in bytes.
    public var size: Int {
        switch self {
        case .float64: 8
        case .float32: 4
        case .float16, .bfloat16: 2
        }
    }

    /// Decodes little-endian numbers, which need not be aligned. A float64 is rounded to the nearest float32.
    ///
    /// - Parameters:
    ///   - bytes: the memory from the first number to the last; its length must match exactly.
    ///   - stride: the distance between consecutive numbers, in numbers; 0 repeats the first number.
    ///   - destination: receives the floats. Its count is the number of floats to decode.
    public func decode(
        _ bytes: UnsafeRawBufferPointer,
        stride: Int = 1,
        into destination: UnsafeMutableBufferPointer<Float>
    ) {
        let count = destination.isEmpty ? 0 : (destination.count - 1) * stride + 1
        precondition(bytes.count == size * count, "\(bytes.count) bytes for \(destination.count) numbers")
        let step = size * stride
        switch self {
        case .float64:
            for index in destination.indices {
                let bits = bytes.loadUnaligned(fromByteOffset: step * index, as: UInt64.self)
                destination[index] = Float(Double(bitPattern: UInt64(littleEndian: bits)))
            }
        case .float32 where stride == 1: UnsafeMutableRawBufferPointer(destination).copyMemory(from: bytes)
        case .float32:
            for index in destination.indices {
                let bits = bytes.loadUnaligned(fromByteOffset: step * index, as: UInt32.self)
                destination[index] = Float(bitPattern: UInt32(littleEndian: bits))
            }
        case .float16:
            for index in destination.indices {
                destination[index] = HalfPrecision.float(fromBits: Self.word(bytes, step * index))
            }
        case .bfloat16:
            for index in destination.indices {
                destination[index] = Float(bitPattern: UInt32(Self.word(bytes, step * index)) << 16)
            }
        }
    }

    private static func word(_ bytes: UnsafeRawBufferPointer, _ offset: Int) -> UInt16 {
        UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// Returns the bits of the bfloat16 nearest to a number. A tie goes to the even one.
    public static func bfloat16Bits(of number: Float) -> UInt16 {
        let bits = number.bitPattern
        // Truncating a NaN whose fraction has bits only in the lower half would give an infinity.
        if number.isNaN { return UInt16(bits >> 16) | 0x40 }
        return UInt16((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    }
}

/// Conversion from IEEE 754 binary16. The standard library's Float16 does not exist on macOS for x86-64.
enum HalfPrecision {
    static func float(fromBits bits: UInt16) -> Float {
        let sign = UInt32(bits & 0x8000) << 16
        let exponent = UInt32(bits >> 10 & 0x1F)
        let fraction = UInt32(bits & 0x3FF)
        switch exponent {
        case 0:
            let magnitude = Float(fraction) * 0x1p-24
            return Float(bitPattern: sign | magnitude.bitPattern)
        case 0x1F: return Float(bitPattern: sign | 0x7F80_0000 | fraction << 13)
        default: return Float(bitPattern: sign | (exponent + 112) << 23 | fraction << 13)
        }
    }
}
