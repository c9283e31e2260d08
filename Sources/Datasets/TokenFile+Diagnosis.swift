extension TokenFile {
    /// The likely true type of the ids in a file without a header, if many ids are not below the vocabulary size; nil
    /// if unknown.
    func likelyMistake(vocabularySize: Int) -> String? {
        withHeaderlessBytes { bytes -> String? in
            // A single wrong id means damage, not a different type.
            let sample = 0..<min(count, 1 << 20)
            let wrong = sample.filter { largestID(in: $0..<$0 + 1) >= vocabularySize }.count
            guard wrong > sample.count / 64 else { return nil }
            // Real vocabularies are at most this large.
            let largest = max(vocabularySize, 1 << 18)
            func isID(_ value: Double) -> Bool { value >= 0 && value < Double(largest) && value == value.rounded() }
            // Try wider types first: their ids also look like narrower ids with zeros in between.
            let guesses: [(type: String, isRight: Bool)] = [
                ("uint64", form.type != .uint64 && Self.all(bytes, UInt64.self) { $0 < largest }),
                ("big-endian uint64", Self.all(bytes, UInt64.self) { $0.byteSwapped < largest }),
                ("float64", Self.all(bytes, UInt64.self) { isID(Double(bitPattern: $0)) }),
                ("uint32", form.type != .uint32 && Self.all(bytes, UInt32.self) { $0 < largest }),
                ("big-endian uint32", Self.all(bytes, UInt32.self) { $0.byteSwapped < largest }),
                ("float32", Self.all(bytes, UInt32.self) { isID(Double(Float(bitPattern: $0))) }),
                ("big-endian uint16", Self.all(bytes, UInt16.self) { $0.byteSwapped < vocabularySize }),
                ("uint8", Self.all(bytes, UInt8.self) { $0 < vocabularySize }),
            ]
            return guesses.first(where: \.isRight)?.type
        }.flatMap { $0 }
    }

    /// Whether all little-endian elements in the first 16 MiB satisfy `isRight`. False for fewer than 32 elements.
    private static func all<Element: FixedWidthInteger>(
        _ bytes: UnsafeRawBufferPointer,
        _: Element.Type,
        _ isRight: (Element) -> Bool
    ) -> Bool {
        let width = Element.bitWidth / 8
        guard bytes.count % width == 0, bytes.count >= 32 * width else { return false }
        return UnsafeRawBufferPointer(rebasing: bytes.prefix(1 << 24)).assumingMemoryBound(to: Element.self)
            .allSatisfy { isRight(Element(littleEndian: $0)) }
    }
}
