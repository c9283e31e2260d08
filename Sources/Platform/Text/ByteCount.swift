/// Formats byte counts as text.
public enum ByteCount {
    /// Formats a byte count as `3.2 MB`, `432 MB` or `12.9 GB`, where 1 MB is 1,000,000 bytes.
    public static func text(_ bytes: Int) -> String {
        switch bytes {
        case ..<10_000_000: tenths(of: bytes, unit: 1_000_000) + " MB"
        case ..<1_000_000_000: "\((bytes + 500_000) / 1_000_000) MB"
        default: tenths(of: bytes, unit: 1_000_000_000) + " GB"
        }
    }

    private static func tenths(of bytes: Int, unit: Int) -> String {
        // Round half up. Dividing first avoids an overflow for the largest number.
        let tenths = bytes / (unit / 10) + (bytes % (unit / 10) >= unit / 20 ? 1 : 0)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
