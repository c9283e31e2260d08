extension String {
    /// The text as one word of a shell command: in single quotes if it has characters that a shell interprets.
    public var shellQuoted: String {
        let plain =
            !isEmpty
            && unicodeScalars.allSatisfy {
                $0.properties.isAlphabetic || ("0"..."9").contains($0) || "-_=./,:+@%".unicodeScalars.contains($0)
            }
        return plain ? self : "'\(replacing("'", with: "'\\''"))'"
    }
}
