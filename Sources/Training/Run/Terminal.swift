import Platform

/// What a terminal can do, and how much of a line it has room for.
enum Terminal {
    static let usualColumns = 80

    /// Whether a line there can take the place of the one before it.
    static func replacesLines(_ descriptor: Int32) -> Bool {
        isatty(descriptor) == 1 && ProcessEnvironment.value("TERM") != "dumb"
    }

    /// The columns that the terminal has now, or that `COLUMNS` says where it does not tell.
    static func columns(of descriptor: Int32) -> Int? {
        if let size = winsize(ofTerminal: descriptor), size.ws_col > 0 { return Int(size.ws_col) }
        return ProcessEnvironment.value("COLUMNS").flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
    }

    /// Text in at most so many columns, with an ellipsis in place of what was cut, and nothing in it that moves the cursor.
    static func cut(_ text: String, to columns: Int) -> String {
        let text = String(text.map { width($0) == 0 && isControl($0) ? " " : $0 })
        guard text.reduce(0, { $0 + width($1) }) > columns else { return text }
        var result = ""
        var used = 1
        for character in text {
            used += width(character)
            guard used <= columns else { break }
            result.append(character)
        }
        return columns > 0 ? result + "…" : ""
    }

    /// Columns of a character: two for wide ones of East Asia and pictures, none for what combines.
    static func width(_ character: Character) -> Int {
        if let ascii = character.asciiValue { return ascii >= 0x20 && ascii != 0x7F ? 1 : 0 }
        return character.unicodeScalars.map(width).max() ?? 0
    }

    private static func isControl(_ character: Character) -> Bool {
        character.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        switch scalar.properties.generalCategory {
        case .control, .format, .nonspacingMark, .enclosingMark: return 0
        default: return wide.contains { $0.contains(scalar.value) } ? 2 : 1
        }
    }

    /// Blocks of Unicode's East Asian Width W and F.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7A3, 0xF900...0xFAFF,
        0xFE30...0xFE6F, 0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F680...0x1F6FF, 0x1F900...0x1F9FF,
        0x20000...0x3FFFD,
    ]
}
