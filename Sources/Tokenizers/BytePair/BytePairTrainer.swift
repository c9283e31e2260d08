import Compute
import Platform

/// Trains a byte-level BPE vocabulary: repeatedly merges the most frequent pair of adjacent tokens into a new token.
///
/// Pairs are counted within GPT-2's pre-tokens. If several pairs are equally frequent, the smallest pair is merged, as
/// in rustbpe: bytes are ordered by value and come before merged tokens, which are ordered by age. The vocabulary
/// therefore depends only on the text, and not on the number of threads.
///
/// ```swift
/// var trainer = try BytePairTrainer(vocabularySize: 8192, pool: pool)
/// try trainer.add(inputs: ["corpus.txt", "more/"])
/// let tokenizer = BytePairTokenizer(try trainer.train())
/// ```
public struct BytePairTrainer {
    /// The smallest vocabulary size: 256 bytes and `<|endoftext|>`.
    public static let smallestVocabulary = 257
    /// The largest vocabulary size: 2²⁰ tokens.
    public static let largestVocabulary = 1 << 20

    private let vocabularySize: Int
    private let pool: WorkerPool
    private var counts: [PreTokenCounts]
    /// The number of bytes of text added so far.
    public private(set) var byteCount = 0

    /// Creates a trainer without text.
    ///
    /// - Parameters:
    ///   - vocabularySize: The number of tokens: 256 bytes, the merged tokens, and `<|endoftext|>`, which has the last
    ///     id.
    ///   - pool: The threads that count pre-tokens.
    /// - Throws: `UserError(.usage)` if the size is out of range.
    public init(vocabularySize: Int, pool: WorkerPool) throws {
        guard (Self.smallestVocabulary...Self.largestVocabulary).contains(vocabularySize) else {
            throw UserError(
                .usage,
                """
                vocab_size=\(vocabularySize): must be from \(Self.smallestVocabulary) (256 bytes and the end-of-text \
                token) to \(Self.largestVocabulary)
                """
            )
        }
        self.vocabularySize = vocabularySize
        self.pool = pool
        counts = Array(repeating: PreTokenCounts(), count: pool.threadCount)
    }

    /// Counts the pre-tokens of a text, or of a piece whose ends are at places that `BytePairTokenizer.lastCut(in:)`
    /// returned.
    public mutating func add(_ text: UnsafeRawBufferPointer) {
        let pieces = TextDivision.pieces(of: text) { Self.lastCut(in: $0) }
        counts.withUnsafeMutableBufferPointer { counts in
            // Each worker writes only its own counts.
            nonisolated(unsafe) let counts = counts
            pool.run(pieces.count) { piece, worker in
                counts[worker].add(UnsafeRawBufferPointer(rebasing: text[pieces[piece]]))
            }
        }
        byteCount += text.count
    }

    /// Returns the last place where a text can be cut into two pieces without changing the counts.
    package static func lastCut(in text: UnsafeRawBufferPointer) -> Int { PreTokenScanner(text).lastCut() }

    /// Runs tasks in parallel and counts the pre-tokens of the texts that they pass on.
    ///
    /// - Parameter body: Runs one task and calls `pass` for each whole text, or for pieces as described at `add(_:)`.
    /// - Throws: The error of the first task that fails.
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

    /// Trains a vocabulary on all text so far. It is smaller than requested if the text has too few pairs.
    ///
    /// - Parameter progress: Called after every 64 merges with the number of merges.
    /// - Throws: `UserError(.data)` if no text was added.
    public func train(progress: (_ tokens: Int) -> Void = { _ in }) throws -> BytePairVocabulary {
        guard byteCount > 0 else { throw UserError(.data, "cannot train a tokenizer: the text is empty") }
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
            preconditionFailure("training produced an invalid vocabulary: \(unusable.reason)")
        }
    }
}
