import Compute
import Platform
import Training
import Transformer

/// Sets the model's tiled attention beside the plain one that holds whole matrices of weights: time, memory, and how far
/// their results are apart, for one sequence of each length.
package struct AttentionBenchmark: Sendable {
    /// Heads of the layer.
    package let headCount: Int
    /// Features of a head.
    package let headSize: Int
    /// Tokens of each sequence, a comparison each.
    package let lengths: [Int]
    /// Worker threads.
    package let threads: Int
    /// Untimed passes first.
    package let warmUp: Int
    /// Timed passes; nil for as many as take about half a second of each form, at least 3 and at most 50.
    package let repetitions: Int?

    /// Tokens, by factors of two.
    package static let defaultLengths = [64, 128, 256, 512, 1024, 2048, 4096]

    /// Allocates nothing: `run` does.
    package init(
        headCount: Int,
        headSize: Int,
        lengths: [Int] = defaultLengths,
        threads: Int,
        warmUp: Int = 1,
        repetitions: Int? = nil
    ) {
        self.headCount = headCount
        self.headSize = headSize
        self.lengths = lengths
        self.threads = threads
        self.warmUp = warmUp
        self.repetitions = repetitions
    }

    /// One form of attention at one length.
    package struct Form: Sendable {
        /// Seconds of forward passes.
        package let forward: Spread
        /// Seconds of backward passes.
        package let backward: Spread
        /// Besides q, k, v, the output and their gradients.
        package let bytes: Int
    }

    /// Both forms at one length.
    package struct Comparison: Sendable {
        /// Tokens of the sequence.
        package let length: Int
        /// A block of query rows at a time.
        package let tiled: Form
        /// Nil where its matrices do not fit this machine's memory.
        package let plain: Form?
        /// Largest absolute difference of the outputs; inputs are uniform in [-1, 1).
        package let outputDifference: Double?
        /// The same of the gradients of q, k and v.
        package let gradientDifference: Double?
    }

    /// - Parameter progress: told what is going on.
    ///
    /// - Throws: `UserError(.usage)` when even the tiled form does not fit memory.
    package func run(progress: (String) -> Void = { _ in }) throws -> [Comparison] {
        let pool = WorkerPool(threadCount: threads)
        for length in lengths { try checkMemory(length) }
        return lengths.map { length in
            progress("attention over \(length) tokens")
            return compare(length, pool)
        }
    }

    /// Inputs, and two forms' results: 12 floats for each feature of each token. Counted in floating point, as lengths may be
    /// such that bytes exceed an integer.
    private func checkMemory(_ length: Int) throws {
        let bytes = 4 * 12 * Double(length) * Double(headCount * headSize)
        guard let available = MemoryCheck.availableBytes, bytes > Double(available) else { return }
        throw UserError(
            .usage,
            """
            block_size=\(length): attention over so many tokens takes \(Numbers.fixed(bytes / 1e9, 1)) GB, but \
            \(ByteCount.text(available)) are free; choose a smaller --block_size
            """
        )
    }

    private func compare(_ length: Int, _ pool: WorkerPool) -> Comparison {
        let width = headCount * headSize
        let input = random(length * 3 * width, item: 0)
        let outputGradient = random(length * width, item: 1)
        let qkv = input.matrix(rows: length, columns: 3 * width)
        let dy = outputGradient.matrix(rows: length, columns: width)
        let tiled = Outcome(length: length, width: width)
        let plain = Outcome(length: length, width: width)

        let probe = AttentionProbe(
            headCount: headCount,
            headSize: headSize,
            length: length,
            context: ComputeContext(pool: pool)
        )
        let tiledForm = measure(
            bytes: probe.bytes,
            forward: { probe.forward(qkv: qkv, into: tiled.y) },
            backward: { probe.backward(qkv: qkv, y: tiled.y, dy: dy, into: tiled.gradient) }
        )
        let plainSize = 4 * Double(headCount + threads) * Double(length) * Double(length)
        guard plainSize < Double(MemoryCheck.availableBytes ?? .max) else {
            return Comparison(
                length: length,
                tiled: tiledForm,
                plain: nil,
                outputDifference: nil,
                gradientDifference: nil
            )
        }
        let plainBytes = PlainAttention.bytes(headCount: headCount, length: length, threads: threads)
        let attention = PlainAttention(headCount: headCount, length: length, pool: pool)
        let plainForm = measure(
            bytes: plainBytes,
            forward: { attention.forward(qkv: qkv, into: plain.y) },
            backward: { attention.backward(qkv: qkv, dy: dy, into: plain.gradient) }
        )
        return Comparison(
            length: length,
            tiled: tiledForm,
            plain: plainForm,
            outputDifference: Self.difference(tiled.output, plain.output),
            gradientDifference: Self.difference(tiled.inputGradient, plain.inputGradient)
        )
    }

    private func measure(bytes: Int, forward: () -> Void, backward: () -> Void) -> Form {
        for _ in 0..<warmUp {
            forward()
            backward()
        }
        var times: (forward: [Double], backward: [Double]) = ([], [])
        func pass() {
            times.forward.append(ContinuousClock.seconds(forward))
            times.backward.append(ContinuousClock.seconds(backward))
        }
        pass()
        let count = repetitions ?? min(50, max(3, Int(0.5 / max(times.forward[0] + times.backward[0], 1e-6))))
        for _ in 1..<max(count, 1) { pass() }
        return Form(forward: Spread(times.forward), backward: Spread(times.backward), bytes: bytes)
    }

    private final class Outcome {
        let output: FloatBuffer
        let inputGradient: FloatBuffer
        let y: MatrixView  // (T, C)
        let gradient: MatrixView  // (T, 3C)

        init(length: Int, width: Int) {
            output = FloatBuffer(count: length * width)
            inputGradient = FloatBuffer(count: length * 3 * width)
            y = output.matrix(rows: length, columns: width)
            gradient = inputGradient.matrix(rows: length, columns: 3 * width)
        }
    }

    /// Uniform in [-1, 1).
    private func random(_ count: Int, item: UInt32) -> FloatBuffer {
        let buffer = FloatBuffer(count: count)
        let random = CounterRandom(seed: 1337, stream: .initialization, item: item)
        for index in 0..<count { buffer.base[index] = Float(2 * random.uniform(UInt32(truncatingIfNeeded: index)) - 1) }
        return buffer
    }

    /// Infinite where one of them is not a number.
    private static func difference(_ a: borrowing FloatBuffer, _ b: borrowing FloatBuffer) -> Double {
        var largest: Float = 0
        for index in 0..<a.count {
            let difference = abs(a.base[index] - b.base[index])
            guard difference.isFinite else { return .infinity }
            largest = max(largest, difference)
        }
        return Double(largest)
    }
}
