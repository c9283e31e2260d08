/// Lines on their way to a stream that may be slow, in their order. It has no thread and no descriptor of its own.
///
/// Beyond a limit the oldest are dropped that were not begun, and where they are missing a line says how many.
public struct OutputLines {
    private struct Entry {
        let bytes: [UInt8]
        let number: Int
        let isReplaceable: Bool
    }

    /// Bytes that wait at most, where the newest line alone is not longer.
    public let limit: Int
    /// Bytes that wait.
    public private(set) var byteCount = 0

    private var entries: [Entry] = []
    /// Those before it are done.
    private var first = 0
    /// What the writer has taken out, and how much of that is written: it is neither dropped nor replaced.
    private var begun: [UInt8] = []
    private var written = 0
    private var droppedLines = 0

    /// - Parameter limit: bytes that wait at most.
    public init(limit: Int = 1 << 20) { self.limit = limit }

    /// Whether nothing waits.
    public var isEmpty: Bool { byteCount == 0 }
    /// Whether more would be dropped.
    public var isFull: Bool { byteCount >= limit }

    /// The number of what is written next; nil when nothing waits.
    var firstNumber: Int? {
        if written < begun.count { return -1 }
        return first < entries.count ? entries[first].number : nil
    }

    // MARK: For whoever says something

    /// Adds whole lines.
    ///
    /// - Parameters:
    ///   - number: its place among what goes to several streams.
    ///   - isReplaceable: whether it is a state, of which only the latest is worth writing.
    ///   - replacing: whether the last entry, if it is one of those, gives its place to this one.
    ///   - mayDrop: whether older lines are dropped beyond the limit.
    public mutating func append(
        _ bytes: [UInt8],
        number: Int = 0,
        isReplaceable: Bool = false,
        replacing: Bool = false,
        mayDrop: Bool = true
    ) {
        if replacing, first < entries.count, entries.last!.isReplaceable {
            byteCount -= entries.removeLast().bytes.count
        }
        entries.append(Entry(bytes: bytes, number: number, isReplaceable: isReplaceable))
        byteCount += bytes.count
        if mayDrop { dropOldest() }
    }

    /// Drops the oldest lines beyond the limit, but not the newest.
    public mutating func dropOldest() {
        while byteCount > limit, first < entries.count - 1 {
            let entry = removeFirst()
            byteCount -= entry.bytes.count
            if !entry.isReplaceable { droppedLines += entry.bytes.count { $0 == UInt8(ascii: "\n") } }
        }
    }

    private mutating func removeFirst() -> Entry {
        let entry = entries[first]
        first += 1
        if first == entries.count {
            entries.removeAll(keepingCapacity: true)
            first = 0
        } else if first >= 1024, first > entries.count / 2 {
            entries.removeFirst(first)
            first = 0
        }
        return entry
    }

    // MARK: For whoever writes

    /// What to write now, for a stream that is ready; then call `wrote` or `failed`.
    ///
    /// - Parameter number: an entry with a larger number has to wait for another stream; nil where there is none.
    public mutating func next(before number: Int? = nil) -> [UInt8] {
        if written == begun.count {
            begun.removeAll(keepingCapacity: true)
            written = 0
            if droppedLines > 0 {
                begun +=
                    "\(droppedLines) \(droppedLines == 1 ? "line was" : "lines were") dropped because nobody read them\n"
                    .utf8
                byteCount += begun.count
                droppedLines = 0
            }
            while begun.count < Self.chunk, first < entries.count, entries[first].number < number ?? .max {
                begun += removeFirst().bytes
            }
        }
        // As much as a pipe that is ready has room for.
        return Array(begun[written...].prefix(Self.chunk))
    }

    private static let chunk = 4096

    /// So many of the bytes of `next` are written.
    public mutating func wrote(_ count: Int) {
        written += count
        byteCount -= count
    }

    /// The bytes of `next` cannot be written, nor what belongs to them.
    public mutating func failed() { wrote(begun.count - written) }
}
