extension String {
    /// As one word for a shell: as it is where nothing in it means something there, else in single quotes.
    public var shellQuoted: String {
        let plain =
            !isEmpty
            && unicodeScalars.allSatisfy {
                $0.properties.isAlphabetic || ("0"..."9").contains($0) || "-_=./,:+@%".unicodeScalars.contains($0)
            }
        return plain ? self : "'\(replacing("'", with: "'\\''"))'"
    }
}
