import Compute
import Platform
import Training
import Transformer

/// Compares the model's tiled attention with plain attention, which holds whole matrices of weights: time, memory and
/// difference of results, for one sequence of each length.
package struct AttentionBenchmark: Sendable {
    package let headCount: Int
    /// The number of features per head.
    package let headSize: Int
    /// The lengths to compare, in tokens.
    package let lengths: [Int]
    /// Worker threads.
    package let threads: Int
    /// The number of untimed passes before the timed ones.
    package let warmUp: Int
    /// The number of timed passes. Nil means about half a second per form, at least 3 and at most 50 passes.
    package let repetitions: Int?

    package static let defaultLengths = [64, 128, 256, 512, 1024, 2048, 4096]

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

    /// The measurements of one form of attention at one length.
    package struct Form: Sendable {
        /// Seconds of forward passes.
        package let forward: Spread
        /// Seconds of backward passes.
        package let backward: Spread
        /// The memory that the form needs, without q, k, v, the output and their gradients.
        package let bytes: Int
    }

    /// The measurements of both forms at one length.
    package struct Comparison: Sendable {
        /// The number of tokens.
        package let length: Int
        package let tiled: Form
        /// Nil if its matrices do not fit this machine's memory.
        package let plain: Form?
        /// The largest absolute difference between the outputs. Inputs are uniform in [-1, 1).
        package let outputDifference: Double?
        /// The largest absolute difference between the gradients of q, k and v.
        package let gradientDifference: Double?
    }

    /// - Parameter progress: receives status lines.
    /// - Throws: `UserError(.usage)` if the inputs and results do not fit this machine's memory.
    package func run(progress: (String) -> Void = { _ in }) throws -> [Comparison] {
        let pool = WorkerPool(threadCount: threads)
        for length in lengths { try checkMemory(length) }
        return lengths.map { length in
            progress("attention over \(length) tokens")
            return compare(length, pool)
        }
    }

    /// Checks the memory of the inputs and of both forms' results: 12 floats per feature and token. Computes in
    /// floating point, because the number of bytes may overflow an integer.
    private func checkMemory(_ length: Int) throws {
        let bytes = 4 * 12 * Double(length) * Double(headCount * headSize)
        guard let available = MemoryCheck.availableBytes, bytes > Double(available) else { return }
        throw UserError(
            .usage,
            """
            block_size=\(length): attention over this many tokens needs \(Numbers.fixed(bytes / 1e9, 1)) GB, but only \
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

    /// Random values, uniform in [-1, 1).
    private func random(_ count: Int, item: UInt32) -> FloatBuffer {
        let buffer = FloatBuffer(count: count)
        let random = CounterRandom(seed: 1337, stream: .initialization, item: item)
        for index in 0..<count { buffer.base[index] = Float(2 * random.uniform(UInt32(truncatingIfNeeded: index)) - 1) }
        return buffer
    }

    /// The largest absolute difference; infinite if a value is NaN or infinite.
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
