/// Finds the name that a misspelled name most likely means.
public enum NearestName {
    /// Returns the candidate with the fewest differences, ignoring case and the difference between `-` and `_`. If none
    /// is close, returns a candidate that starts with `name`. Returns nil if no candidate is similar.
    public static func suggestion(for name: String, among candidates: some Sequence<String>) -> String? {
        let wanted = normalized(name)
        let ranked = candidates.map { (name: $0, distance: distance(wanted, normalized($0))) }
            .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
        if let best = ranked.first, best.distance <= max(2, wanted.count / 3) { return best.name }
        guard wanted.count >= 3 else { return nil }
        return ranked.first { normalized($0.name).starts(with: wanted) }?.name
    }

    /// Returns `; did you mean X?`, or an empty text if no candidate is similar.
    public static func hint(for name: String, among candidates: some Sequence<String>, prefix: String = "") -> String {
        suggestion(for: name, among: candidates).map { "; did you mean \(prefix)\($0)?" } ?? ""
    }

    private static func normalized(_ name: String) -> [UInt8] {
        name.lowercased().utf8.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }
    }

    /// Returns the number of insertions, deletions, substitutions and swaps of neighbors (optimal string alignment).
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 0..<a.count {
            var current = [i + 1] + [Int](repeating: 0, count: b.count)
            for j in 0..<b.count {
                current[j + 1] = min(last[j + 1] + 1, current[j] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] {
                    current[j + 1] = min(current[j + 1], beforeLast[j - 1] + 1)
                }
            }
            (beforeLast, last) = (last, current)
        }
        return last[b.count]
    }
}
