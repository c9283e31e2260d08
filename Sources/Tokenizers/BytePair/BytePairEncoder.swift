/// Encodes with a vocabulary and remembers the ids of short pre-tokens, for one thread at a time.
///
/// Text repeats its words, so that most pre-tokens are found in the cache and never merged. The cache has one place for
/// each hash, and a pre-token takes that of another: its memory is fixed.
final class BytePairEncoder {
    /// A pre-token of up to 3 ids; their number is the last element of `ids`.
    private struct Entry {
        var preToken: ShortPreToken
        var ids: SIMD4<Int32>
    }

    private static let cacheBits: UInt64 = 15
    private static let outputCapacity = 4096

    private var merger: PairMerger
    private let cache: UnsafeMutablePointer<Entry>
    /// Ids on their way to the caller; has room for the longest short pre-token beyond its capacity.
    private let output: UnsafeMutablePointer<Int32>

    init(_ vocabulary: BytePairVocabulary, _ table: MergeTable) {
        merger = PairMerger(table, byteTokens: vocabulary.byteTokens)
        cache = .allocate(capacity: 1 << Int(Self.cacheBits))
        cache.initialize(repeating: Entry(preToken: .none, ids: .zero), count: 1 << Int(Self.cacheBits))
        output = .allocate(capacity: Self.outputCapacity + ShortPreToken.maximumLength)
    }

    deinit {
        cache.deallocate()
        output.deallocate()
    }

    /// Appends the ids of a text.
    func encode(_ text: UnsafeRawBufferPointer, into ids: inout [Int32]) {
        guard let bytes = text.baseAddress else { return }
        let scanner = PreTokenScanner(text)
        var count = 0
        var start = 0
        while start < text.count {
            let end = scanner.end(from: start)
            let length = end - start
            if length <= ShortPreToken.maximumLength {
                let preToken = ShortPreToken(bytes + start, length: length, canRead16Bytes: start + 16 <= text.count)
                let place = preToken.place(bits: Self.cacheBits)
                if cache[place].preToken != preToken {
                    count = encodeUncached(bytes + start, preToken, place, count)
                } else {
                    let found = cache[place].ids
                    UnsafeMutableRawPointer(output + count).storeBytes(of: found, as: SIMD4<Int32>.self)
                    count += Int(found[3])
                }
            } else {
                count = encodeLong(bytes + start, length, count, into: &ids)
            }
            if count >= Self.outputCapacity { count = flush(count, into: &ids) }
            start = end
        }
        _ = flush(count, into: &ids)
    }

    @inline(never)
    private func encodeUncached(
        _ bytes: UnsafeRawPointer,
        _ preToken: ShortPreToken,
        _ place: Int,
        _ count: Int
    ) -> Int {
        let tokens = output + count
        let tokenCount = merger.merge(UnsafeRawBufferPointer(start: bytes, count: preToken.length), into: tokens)
        if tokenCount <= 3 {
            var found = SIMD4<Int32>(0, 0, 0, Int32(tokenCount))
            for index in 0..<tokenCount { found[index] = tokens[index] }
            cache[place] = Entry(preToken: preToken, ids: found)
        }
        return count + tokenCount
    }

    @inline(never)
    private func encodeLong(_ bytes: UnsafeRawPointer, _ length: Int, _ count: Int, into ids: inout [Int32]) -> Int {
        let text = UnsafeRawBufferPointer(start: bytes, count: length)
        guard length > Self.outputCapacity else {
            // As long as the room behind the ids that wait.
            let start = count + length > Self.outputCapacity ? flush(count, into: &ids) : count
            return start + merger.merge(text, into: output + start)
        }
        _ = flush(count, into: &ids)
        let tokens = UnsafeMutablePointer<Int32>.allocate(capacity: length)
        defer { tokens.deallocate() }
        ids.append(contentsOf: UnsafeBufferPointer(start: tokens, count: merger.merge(text, into: tokens)))
        return 0
    }

    private func flush(_ count: Int, into ids: inout [Int32]) -> Int {
        ids.append(contentsOf: UnsafeBufferPointer(start: output, count: count))
        return 0
    }
}
