/// Puts what one stream of a rank brings together to whole lines, with a prefix before each.
struct LineBuffer {
    let prefix: [UInt8]
    /// Bytes from which on a line is passed on in pieces, each a line of its own.
    var limit = 1 << 24
    /// The beginning of a line whose end has not come.
    private var pending: [UInt8] = []

    init(prefix: String) { self.prefix = Array(prefix.utf8) }

    private static let newline = UInt8(ascii: "\n")

    /// - Parameter emit: called with parts that belong together and end with a newline.
    mutating func take(_ bytes: ArraySlice<UInt8>, emit: (ArraySlice<UInt8>) -> Void) {
        var rest = bytes
        while let end = rest.firstIndex(of: Self.newline) {
            let line = rest[...end]
            rest = rest[(end + 1)...]
            emit((prefix + pending + line)[...])
            pending.removeAll()
        }
        pending += rest
        if pending.count >= limit { finish(emit: emit) }
    }

    /// The stream is at its end, or its line is too long: what came of a last line is one.
    mutating func finish(emit: (ArraySlice<UInt8>) -> Void) {
        guard !pending.isEmpty else { return }
        emit((prefix + pending + [Self.newline])[...])
        pending.removeAll()
    }
}
