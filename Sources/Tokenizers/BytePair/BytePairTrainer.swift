import Compute
import Platform

/// Makes a byte-level BPE from text: again and again the pair of tokens that occurs most often becomes a token.
///
/// Of pairs that occur equally often the smaller one is taken, bytes by their value before merged tokens by their age,
/// as rustbpe does: the vocabulary depends on the text alone. Pairs are counted within GPT-2's pre-tokens.
///
/// ```swift
/// var trainer = try BytePairTrainer(vocabularySize: 8192, pool: pool)
/// try trainer.add(inputs: ["corpus.txt", "more/"])
/// let tokenizer = BytePairTokenizer(try trainer.train())
/// ```
public struct BytePairTrainer {
    /// The bytes and `<|endoftext|>`.
    public static let smallestVocabulary = 257
    /// 2²⁰ tokens, about a million.
    public static let largestVocabulary = 1 << 20

    private let vocabularySize: Int
    private let pool: WorkerPool
    private var counts: [PreTokenCounts]
    /// Bytes of text so far.
    public private(set) var byteCount = 0

    /// - Parameters:
    ///   - vocabularySize: all tokens: the 256 bytes, the merged ones and `<|endoftext|>`, which comes last.
    ///   - pool: counts pre-tokens in parallel.
    /// - Throws: `UserError(.usage)` for a size out of range.
    public init(vocabularySize: Int, pool: WorkerPool) throws {
        guard (Self.smallestVocabulary...Self.largestVocabulary).contains(vocabularySize) else {
            throw UserError(
                .usage,
                """
                vocab_size=\(vocabularySize): must be from \(Self.smallestVocabulary) (the bytes and the end of text) to \
                \(Self.largestVocabulary)
                """
            )
        }
        self.vocabularySize = vocabularySize
        self.pool = pool
        counts = Array(repeating: PreTokenCounts(), count: pool.threadCount)
    }

    /// Counts a whole text, or a piece of one that was cut where `BytePairTokenizer.lastCut(in:)` says.
    public mutating func add(_ text: UnsafeRawBufferPointer) {
        let pieces = TextDivision.pieces(of: text) { Self.lastCut(in: $0) }
        counts.withUnsafeMutableBufferPointer { counts in
            // Each worker writes its own counts only.
            nonisolated(unsafe) let counts = counts
            pool.run(pieces.count) { piece, worker in
                counts[worker].add(UnsafeRawBufferPointer(rebasing: text[pieces[piece]]))
            }
        }
        byteCount += text.count
    }

    /// The last place of a text at which it can be cut, and counted in two pieces.
    package static func lastCut(in text: UnsafeRawBufferPointer) -> Int { PreTokenScanner(text).lastCut() }

    /// Counts the texts that `body` passes on for each task, in parallel.
    ///
    /// - Parameter body: passes on whole texts, or pieces as those of `add(_:)`.
    /// - Throws: what `body` throws.
    package mutating func add(
        tasks: Int,
        _ body: (_ task: Int, _ pass: (UnsafeRawBufferPointer) -> Void) throws -> Void
    ) throws {
        var results = [Result<Int, any Error>](repeating: .success(0), count: tasks)
        results.withUnsafeMutableBufferPointer { results in
            counts.withUnsafeMutableBufferPointer { counts in
                // Each task writes its own result, each worker its own counts.
                nonisolated(unsafe) let (results, counts, body) = (results, counts, body)
                pool.run(tasks) { task, worker in
                    results[task] = Result {
                        var bytes = 0
                        try body(task) { text in
                            counts[worker].add(text)
                            bytes += text.count
                        }
                        return bytes
                    }
                }
            }
        }
        for result in results { byteCount += try result.get() }
    }

    /// Makes the vocabulary of all text so far; a smaller one than asked for when the text has no more pairs.
    ///
    /// - Parameter progress: called now and then with the number of tokens.
    /// - Throws: `UserError(.data)` when there was no text.
    public func train(progress: (_ tokens: Int) -> Void = { _ in }) throws -> BytePairVocabulary {
        guard byteCount > 0 else { throw UserError(.data, "there is no text to train on: it is empty") }
        var all = counts[0]
        for other in counts.dropFirst() { all.add(other) }
        var merging = MergeTrainingState(all)
        var tokens = (0..<256).map { [UInt8($0)] }
        var merges: [(left: [UInt8], right: [UInt8])] = []
        while merges.count < vocabularySize - Self.smallestVocabulary, let pair = merging.mergeMostFrequent() {
            let merge = (left: tokens[Int(pair.left)], right: tokens[Int(pair.right)])
            merges.append(merge)
            tokens.append(merge.left + merge.right)
            if merges.count % 64 == 0 { progress(merges.count) }
        }
        do {
            return try BytePairVocabulary(merges: merges)
        } catch let unusable as UnusableTokenizer {
            preconditionFailure("training made no vocabulary: \(unusable.reason)")
        }
    }
}
