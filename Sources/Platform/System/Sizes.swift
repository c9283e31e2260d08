/// Overflow-checked products of untrusted sizes, such as sizes from a file.
public enum Sizes {
    /// Returns the product of the sizes, or nil if it overflows.
    public static func product(_ sizes: [Int]) -> Int? {
        var product = 1
        for size in sizes {
            let (next, overflows) = product.multipliedReportingOverflow(by: size)
            guard !overflows else { return nil }
            product = next
        }
        return product
    }
}
