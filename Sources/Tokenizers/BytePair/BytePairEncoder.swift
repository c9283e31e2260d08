/// Encodes text with a vocabulary and caches the ids of short pre-tokens. Only one thread at a time can use an encoder.
///
/// Text repeats its words, so most pre-tokens are in the cache and need no merging. The cache has one slot per hash,
/// and a new pre-token replaces the one in its slot, so the memory is fixed.
final class BytePairEncoder {
    /// A pre-token of up to 3 ids. The last element of `ids` is their number.
    private struct Entry {
        var preToken: ShortPreToken
        var ids: SIMD4<Int32>
    }

    private static let cacheBits: UInt64 = 15
    private static let outputCapacity = 4096

    private var merger: PairMerger
    private let cache: UnsafeMutablePointer<Entry>
    /// Ids that were not appended to the caller's array yet. The buffer has `outputCapacity` elements, and room for one
    /// more short pre-token after them.
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
            // A pre-token has at most as many ids as bytes, so `length` is enough room.
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
