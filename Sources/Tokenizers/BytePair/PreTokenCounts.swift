/// Counts the occurrences of each pre-token. The memory depends on the number of distinct pre-tokens, not on the length
/// of the text.
struct PreTokenCounts {
    private struct Slot {
        var preToken: ShortPreToken
        var count: Int
    }

    /// The counts of short pre-tokens: a hash table with linear probing, at most half full.
    private var slots: [Slot]
    private var bits: UInt64
    private var used = 0
    private var long: [[UInt8]: Int] = [:]

    init() {
        bits = 12
        slots = Array(repeating: Slot(preToken: .none, count: 0), count: 1 << bits)
    }

    mutating func add(_ text: UnsafeRawBufferPointer) {
        guard let bytes = text.baseAddress else { return }
        let scanner = PreTokenScanner(text)
        var start = 0
        while start < text.count {
            let end = scanner.end(from: start)
            if end - start <= ShortPreToken.maximumLength {
                let canRead16Bytes = start + 16 <= text.count
                add(ShortPreToken(bytes + start, length: end - start, canRead16Bytes: canRead16Bytes), 1)
            } else {
                long[Array(text[start..<end]), default: 0] += 1
            }
            start = end
        }
    }

    mutating func add(_ other: PreTokenCounts) {
        for slot in other.slots where slot.count > 0 { add(slot.preToken, slot.count) }
        for (preToken, count) in other.long { long[preToken, default: 0] += count }
    }

    /// The number of distinct pre-tokens.
    var count: Int { used + long.count }

    /// Calls `body` for each pre-token, in no particular order.
    func forEach(_ body: (_ preToken: [UInt8], _ count: Int) -> Void) {
        for slot in slots where slot.count > 0 { body(slot.preToken.bytes, slot.count) }
        for (preToken, count) in long { body(preToken, count) }
    }

    @inline(__always)
    private mutating func add(_ preToken: ShortPreToken, _ count: Int) {
        var place = preToken.place(bits: bits)
        while slots[place].preToken != preToken {
            if slots[place].count == 0 {
                slots[place] = Slot(preToken: preToken, count: count)
                used += 1
                if used * 2 > slots.count { grow() }
                return
            }
            place = (place + 1) & (slots.count - 1)
        }
        slots[place].count += count
    }

    private mutating func grow() {
        let old = slots
        bits += 1
        slots = Array(repeating: Slot(preToken: .none, count: 0), count: 1 << bits)
        for slot in old where slot.count > 0 {
            var place = slot.preToken.place(bits: bits)
            while slots[place].count > 0 { place = (place + 1) & (slots.count - 1) }
            slots[place] = slot
        }
    }
}
