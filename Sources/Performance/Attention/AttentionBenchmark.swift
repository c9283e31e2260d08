import Compute
import Training
import Transformer

/// Sets the model's tiled attention beside the plain one that holds whole matrices of weights: time, memory, and how far
/// their results are apart, for one sequence of each length.
public struct AttentionBenchmark: Sendable {
    public let headCount: Int
    public let headSize: Int
    public let lengths: [Int]
    public let threads: Int
    /// Untimed passes first.
    public let warmUp: Int
    /// Timed passes; nil for as many as take about half a second of each form, at least 3 and at most 50.
    public let repetitions: Int?

    public static let usualLengths = [64, 128, 256, 512, 1024, 2048, 4096]

    public init(
        headCount: Int,
        headSize: Int,
        lengths: [Int] = usualLengths,
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
    public struct Form: Sendable {
        public let forward: Spread
        public let backward: Spread
        /// Besides q, k, v, the output and their gradients.
        public let bytes: Int
    }

    public struct Comparison: Sendable {
        public let length: Int
        public let tiled: Form
        /// Nil where its matrices do not fit this machine's memory.
        public let plain: Form?
        /// Largest absolute difference of the outputs; inputs are uniform in [-1, 1).
        public let outputDifference: Double?
        /// The same of the gradients of q, k and v.
        public let gradientDifference: Double?
    }

    /// - Parameter progress: told what is going on.
    public func run(progress: (String) -> Void = { _ in }) -> [Comparison] {
        let pool = WorkerPool(threadCount: threads)
        return lengths.map { length in
            progress("attention over \(length) tokens")
            return compare(length, pool)
        }
    }

    private func compare(_ length: Int, _ pool: WorkerPool) -> Comparison {
        let width = headCount * headSize
        let input = random(length * 3 * width, item: 0)
        let outputGradient = random(length * width, item: 1)
        let qkv = input.matrix(rows: length, columns: 3 * width)
        let dy = outputGradient.matrix(rows: length, columns: width)
        let tiled = Outcome(length: length, width: width)
        let plain = Outcome(length: length, width: width)

        let probe = AttentionProbe(headCount: headCount, headSize: headSize, length: length, pool: pool)
        let tiledForm = measure(
            bytes: probe.bytes,
            forward: { probe.forward(qkv: qkv, into: tiled.y) },
            backward: { probe.backward(qkv: qkv, y: tiled.y, dy: dy, into: tiled.gradient) }
        )
        let plainBytes = PlainAttention.bytes(headCount: headCount, length: length, threads: threads)
        guard plainBytes < MemoryCheck.availableBytes ?? .max else {
            return Comparison(
                length: length,
                tiled: tiledForm,
                plain: nil,
                outputDifference: nil,
                gradientDifference: nil
            )
        }
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
        var first = 0.0
        for _ in 0..<max(warmUp, 1) { first = Self.seconds(forward) + Self.seconds(backward) }
        let count = repetitions ?? min(50, max(3, Int(0.5 / max(first, 1e-6))))
        var times: (forward: [Double], backward: [Double]) = ([], [])
        for _ in 0..<count {
            times.forward.append(Self.seconds(forward))
            times.backward.append(Self.seconds(backward))
        }
        return Form(forward: Spread(times.forward), backward: Spread(times.backward), bytes: bytes)
    }

    private static func seconds(_ body: () -> Void) -> Double { ContinuousClock().measure(body) / .seconds(1) }

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
        for index in 0..<count { buffer.base[index] = Float(2 * random.uniform(UInt32(index)) - 1) }
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
