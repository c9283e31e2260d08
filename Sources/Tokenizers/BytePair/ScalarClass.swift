/// The classes of scalars in GPT-2's split pattern: `\p{L}`, `\p{N}`, `\s`, and everything else, including ill-formed
/// bytes.
enum ScalarClass: UInt8 {
    case other = 0
    case letter
    case number
    case space
}

/// The class of every scalar in tiktoken. The properties of Swift's standard library use another version of Unicode.
final class ScalarClasses: @unchecked Sendable {
    // Sendable because it is immutable after init.

    static let shared = ScalarClasses()

    /// One byte per scalar, from U+0000 to U+10FFFF.
    let values: UnsafePointer<UInt8>

    private init() {
        let values = UnsafeMutablePointer<UInt8>.allocate(capacity: 0x110000)
        values.initialize(repeating: ScalarClass.other.rawValue, count: 0x110000)
        func fill(_ ranges: [UInt32], _ scalarClass: ScalarClass) {
            for index in stride(from: 0, to: ranges.count, by: 2) {
                for scalar in ranges[index]...ranges[index + 1] { values[Int(scalar)] = scalarClass.rawValue }
            }
        }
        fill(ScalarRanges.letters, .letter)
        fill(ScalarRanges.numbers, .number)
        fill(ScalarRanges.spaces, .space)
        self.values = UnsafePointer(values)
    }

    deinit { values.deallocate() }
}
