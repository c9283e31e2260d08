extension String {
    /// The text with leading zeros, `width` characters long: `String(7).zeroPadded(to: 3)` is `007`. A longer text is
    /// not changed.
    public func zeroPadded(to width: Int) -> String {
        String(repeating: "0", count: max(0, width - utf8.count)) + self
    }
}
