/// Columns of text.
public enum TextTable {
    /// Cells at so many characters each, to the right; to the left where the width is negative.
    public static func line(_ cells: [(text: String, width: Int)]) -> String {
        let line = cells.map { text, width in
            let padding = String(repeating: " ", count: max(0, abs(width) - text.count))
            return width < 0 ? text + padding : padding + text
        }.joined()
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    /// Names to the left and values beside them, a line each, with so many spaces after the longest name.
    public static func facts(_ facts: [(String, String)], gap: Int = 2) -> String {
        let width = facts.map(\.0.count).max() ?? 0
        return facts.map { name, value in line([(name, -width - gap), (value, 0)]) + "\n" }.joined()
    }
}
