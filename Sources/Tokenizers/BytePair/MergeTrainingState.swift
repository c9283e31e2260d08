/// The state of BPE training: the distinct pre-tokens as tokens, and the number of occurrences of each pair of tokens.
///
/// The count of a pair is largest when the newer of its tokens is created, and can only decrease later. The heap is not
/// updated then, so its counts can be too large. A pair at the top with an outdated count is inserted again with its
/// current count.
struct MergeTrainingState {
    struct Pair: Equatable {
        var left: Int32
        var right: Int32
    }

    private struct Word {
        var start: Int
        var length: Int32
        /// The number of occurrences in the text.
        var count: Int
    }

    private var words: [Word] = []
    /// The tokens of all words. Each word keeps the space of its original length.
    private var tokens: [Int32] = []
    private var pairs = PairNumbers()
    /// By pair number: the number of occurrences in the text.
    private var counts: [Int] = []
    /// By pair number: the indexes of the words in which the pair occurs or has occurred, in ascending order.
    private var places: [[Int32]] = []
    private var heap = FrequencyHeap()
    private var nextToken: Int32 = 256
    /// The numbers of the pairs that the current merge created.
    private var newPairs: [Int] = []

    init(_ preTokens: PreTokenCounts) {
        words.reserveCapacity(preTokens.count)
        preTokens.forEach { preToken, count in
            // A word of one byte has no pairs.
            guard preToken.count > 1 else { return }
            words.append(Word(start: tokens.count, length: Int32(preToken.count), count: count))
            for byte in preToken { tokens.append(Int32(byte)) }
        }
        for (index, word) in words.enumerated() {
            for position in word.start + 1..<word.start + Int(word.length) {
                add(Pair(left: tokens[position - 1], right: tokens[position]), word.count, Int32(index))
            }
        }
        pushNewPairs()
    }

    /// Merges the most frequent pair (the smallest if several are equally frequent) into the next token. Returns the
    /// pair, or nil if there is none.
    mutating func mergeMostFrequent() -> Pair? {
        while let top = heap.removeFirst() {
            let number = pairs.number(top.pair)
            guard counts[number] == top.count else {
                if counts[number] > 0 { heap.insert(.init(count: counts[number], pair: top.pair)) }
                continue
            }
            let places = self.places[number]
            self.places[number] = []
            for word in places { merge(top.pair, inWord: word) }
            pushNewPairs()
            nextToken += 1
            return top.pair
        }
        return nil
    }

    private mutating func merge(_ pair: Pair, inWord index: Int32) {
        let (start, length, count) = (words[Int(index)].start, Int(words[Int(index)].length), words[Int(index)].count)
        var from = start
        var to = start
        let end = start + length
        while from < end {
            guard from + 1 < end, tokens[from] == pair.left, tokens[from + 1] == pair.right else {
                tokens[to] = tokens[from]
                from += 1
                to += 1
                continue
            }
            if to > start {
                remove(Pair(left: tokens[to - 1], right: pair.left), count)
                add(Pair(left: tokens[to - 1], right: nextToken), count, index)
            }
            remove(pair, count)
            if from + 2 < end {
                remove(Pair(left: pair.right, right: tokens[from + 2]), count)
                add(Pair(left: nextToken, right: tokens[from + 2]), count, index)
            }
            tokens[to] = nextToken
            from += 2
            to += 1
        }
        words[Int(index)].length = Int32(to - start)
    }

    private mutating func add(_ pair: Pair, _ count: Int, _ word: Int32) {
        let number = pairs.number(pair)
        if number == counts.count {
            counts.append(0)
            places.append([])
            newPairs.append(number)
        }
        counts[number] += count
        if places[number].last != word { places[number].append(word) }
    }

    private mutating func remove(_ pair: Pair, _ count: Int) {
        counts[pairs.number(pair)] -= count
    }

    private mutating func pushNewPairs() {
        for number in newPairs where counts[number] > 0 {
            heap.insert(.init(count: counts[number], pair: pairs.pair(number)))
        }
        newPairs.removeAll(keepingCapacity: true)
    }
}

/// Assigns consecutive numbers to pairs on first use. A hash table with linear probing, at most half full.
private struct PairNumbers {
    private var slots = [Int32](repeating: -1, count: 1 << 16)
    private var bits: UInt64 = 16
    private var all: [MergeTrainingState.Pair] = []

    func pair(_ number: Int) -> MergeTrainingState.Pair { all[number] }

    @inline(__always)
    mutating func number(_ pair: MergeTrainingState.Pair) -> Int {
        var place = self.place(pair)
        while true {
            let number = Int(slots[place])
            if number < 0 { break }
            if all[number] == pair { return number }
            place = (place + 1) & (slots.count - 1)
        }
        slots[place] = Int32(all.count)
        all.append(pair)
        if all.count * 2 > slots.count { grow() }
        return all.count - 1
    }

    private func place(_ pair: MergeTrainingState.Pair) -> Int {
        let key = UInt64(UInt32(bitPattern: pair.left)) << 32 | UInt64(UInt32(bitPattern: pair.right))
        return Int((key &* 0x9E37_79B9_7F4A_7C15) >> (64 - bits))
    }

    private mutating func grow() {
        bits += 1
        slots = Array(repeating: -1, count: 1 << Int(bits))
        for (number, pair) in all.enumerated() {
            var place = self.place(pair)
            while slots[place] >= 0 { place = (place + 1) & (slots.count - 1) }
            slots[place] = Int32(number)
        }
    }
}

/// A binary heap of pairs: the most frequent pair first, and the smaller pair first if counts are equal.
private struct FrequencyHeap {
    struct Entry {
        var count: Int
        var pair: MergeTrainingState.Pair

        @inline(__always)
        func isBefore(_ other: Entry) -> Bool {
            if count != other.count { return count > other.count }
            if pair.left != other.pair.left { return pair.left < other.pair.left }
            return pair.right < other.pair.right
        }
    }

    private var entries: [Entry] = []

    mutating func insert(_ entry: Entry) {
        entries.append(entry)
        var index = entries.count - 1
        while index > 0, entry.isBefore(entries[(index - 1) / 2]) {
            entries[index] = entries[(index - 1) / 2]
            index = (index - 1) / 2
        }
        entries[index] = entry
    }

    mutating func removeFirst() -> Entry? {
        guard let first = entries.first else { return nil }
        let last = entries.removeLast()
        guard !entries.isEmpty else { return first }
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < entries.count else { break }
            if child + 1 < entries.count, entries[child + 1].isBefore(entries[child]) { child += 1 }
            guard entries[child].isBefore(last) else { break }
            entries[index] = entries[child]
            index = child
        }
        entries[index] = last
        return first
    }
}
