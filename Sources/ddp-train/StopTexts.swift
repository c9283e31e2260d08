/// Cuts a text that grows at the first of some texts to occur in it.
///
/// What could be the beginning of one is held back until more of the text decides. A result does not depend on the pieces in
/// which the text comes, so that a text to stop at may begin or end within a token.
struct StopTexts {
    private let texts: [[UInt8]]
    /// The end of the text so far, as much of it as a text to stop at begins with.
    private var held: [UInt8] = []

    /// - Parameter texts: none of them empty.
    init(_ texts: [[UInt8]]) { self.texts = texts }

    /// Adds a piece of the text.
    ///
    /// - Returns: what is now known to come before any of the texts, and whether one of them has occurred.
    mutating func add(_ piece: [UInt8]) -> (text: [UInt8], isStopped: Bool) {
        var text: [UInt8] = []
        for byte in piece {
            held.append(byte)
            if let found = texts.filter({ held.suffix($0.count) == $0[...] }).max(by: { $0.count < $1.count }) {
                defer { held = [] }
                return (text + held.dropLast(found.count), true)
            }
            while !held.isEmpty, !texts.contains(where: { $0.starts(with: held) }) { text.append(held.removeFirst()) }
        }
        return (text, false)
    }

    /// What is held back: at the end of the text it belongs to it.
    var rest: [UInt8] { held }
}
