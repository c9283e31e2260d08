/// Products of sizes that were read from a file, and may be anything.
public enum Sizes {
    /// The product, or nil if it overflows.
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
