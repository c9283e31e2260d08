extension String {
    /// With zeros before it up to so many characters: `String(7).zeroPadded(to: 3)` is `007`. What is longer stays.
    public func zeroPadded(to width: Int) -> String {
        String(repeating: "0", count: max(0, width - utf8.count)) + self
    }
}
