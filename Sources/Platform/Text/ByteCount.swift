/// Numbers of bytes for people.
public enum ByteCount {
    /// `3.2 MB`, `432 MB`, `12.9 GB`, in powers of ten.
    public static func text(_ bytes: Int) -> String {
        switch bytes {
        case ..<10_000_000: tenths(of: bytes, unit: 1_000_000) + " MB"
        case ..<1_000_000_000: "\((bytes + 500_000) / 1_000_000) MB"
        default: tenths(of: bytes, unit: 1_000_000_000) + " GB"
        }
    }

    private static func tenths(of bytes: Int, unit: Int) -> String {
        // Halves go up; dividing first keeps the largest number from overflowing.
        let tenths = bytes / (unit / 10) + (bytes % (unit / 10) >= unit / 20 ? 1 : 0)
        return "\(tenths / 10).\(tenths % 10)"
    }
}
