/// Products of sizes that a file gives.
public enum Sizes {
    /// Nil when the product does not fit.
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
