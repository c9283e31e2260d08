/// Formats text in columns.
public enum TextTable {
    /// Returns a line of cells, each `width` characters wide and aligned right; a negative width aligns left.
    public static func line(_ cells: [(text: String, width: Int)]) -> String {
        let line = cells.map { text, width in
            let padding = String(repeating: " ", count: max(0, abs(width) - text.count))
            return width < 0 ? text + padding : padding + text
        }.joined()
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    /// Returns one line per name and value, with `gap` spaces after the longest name.
    public static func facts(_ facts: [(String, String)], gap: Int = 2) -> String {
        let width = facts.map(\.0.count).max() ?? 0
        return facts.map { name, value in line([(name, -width - gap), (value, 0)]) + "\n" }.joined()
    }
}
