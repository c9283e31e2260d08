import CVectorKernels

/// Operations on whole parameter buffers, split into pieces of a fixed size so that results do not depend on the number
/// of workers.
public enum VectorOperations {
    /// Elements per task; 256 KiB of each buffer.
    private static let piece = 65536

    /// The settings of one AdamW step for one group of parameters.
    public struct AdamW: Sendable {
        /// η, the learning rate of this step.
        public var learningRate: Float
        /// β₁, the decay rate of the first moments.
        public var beta1: Float
        /// β₂, the decay rate of the second moments.
        public var beta2: Float
        /// ε, which is added to the square root of the second moment.
        public var epsilon: Float
        /// λ, the weight decay; 0 for parameters without decay.
        public var weightDecay: Float
        /// `1 - beta1^step`, where steps count from 1.
        public var biasCorrection1: Float
        /// `1 - beta2^step`, where steps count from 1.
        public var biasCorrection2: Float
        /// The factor that multiplies each gradient before the step, for gradient clipping.
        public var gradientScale: Float

        /// Creates the settings. The defaults are the ε of the paper and no gradient scaling.
        public init(
            learningRate: Float,
            beta1: Float,
            beta2: Float,
            epsilon: Float = 1e-8,
            weightDecay: Float,
            biasCorrection1: Float,
            biasCorrection2: Float,
            gradientScale: Float = 1
        ) {
            self.learningRate = learningRate
            self.beta1 = beta1
            self.beta2 = beta2
            self.epsilon = epsilon
            self.weightDecay = weightDecay
            self.biasCorrection1 = biasCorrection1
            self.biasCorrection2 = biasCorrection2
            self.gradientScale = gradientScale
        }
    }

    /// Performs one AdamW step (Loshchilov and Hutter, 2019) on the elements in each range, with that range's settings.
    /// The ranges must not overlap and must lie within all four buffers.
    public static func adamW(
        parameters: UnsafeMutablePointer<Float>,
        gradients: UnsafePointer<Float>,
        firstMoments: UnsafeMutablePointer<Float>,
        secondMoments: UnsafeMutablePointer<Float>,
        ranges: [(range: Range<Int>, settings: AdamW)],
        context: ComputeContext
    ) {
        var pieces: [(start: Int, count: Int, settings: AdamW)] = []
        for (range, settings) in ranges {
            for start in stride(from: range.lowerBound, to: range.upperBound, by: piece) {
                pieces.append((start, min(piece, range.upperBound - start), settings))
            }
        }
        context.pool.run(pieces.count) { task, _ in
            let (start, count, s) = pieces[task]
            context.kernels.table.adamw(
                parameters + start,
                gradients + start,
                firstMoments + start,
                secondMoments + start,
                count,
                s.learningRate,
                s.beta1,
                s.beta2,
                s.epsilon,
                s.weightDecay,
                s.biasCorrection1,
                s.biasCorrection2,
                s.gradientScale
            )
        }
    }

    /// Returns the sum of squares in double precision. Workers sum the pieces in parallel, and the sums are added in
    /// order.
    public static func sumOfSquares(_ values: UnsafeBufferPointer<Float>, context: ComputeContext) -> Double {
        guard let base = values.baseAddress else { return 0 }
        let pieces = (values.count + piece - 1) / piece
        var sums = [Double](repeating: 0, count: pieces)
        sums.withUnsafeMutableBufferPointer { sums in
            context.pool.run(pieces) { task, _ in
                let start = task * piece
                sums[task] = context.kernels.table.sum_squares(base + start, min(piece, values.count - start))
            }
        }
        return sums.reduce(0, +)
    }

    /// Copies all elements to a buffer of the same length.
    public static func copy(
        _ values: UnsafeBufferPointer<Float>,
        to target: UnsafeMutableBufferPointer<Float>,
        pool: WorkerPool
    ) {
        precondition(values.count == target.count)
        guard let base = values.baseAddress, let targetBase = target.baseAddress else { return }
        pool.run((values.count + piece - 1) / piece) { task, _ in
            let start = task * piece
            (targetBase + start).update(from: base + start, count: min(piece, values.count - start))
        }
    }

    /// Sets every element to zero.
    public static func clear(_ values: UnsafeMutableBufferPointer<Float>, pool: WorkerPool) {
        guard let base = values.baseAddress else { return }
        pool.run((values.count + piece - 1) / piece) { task, _ in
            let start = task * piece
            Profile.measure(.gradientZeroing) {
                (base + start).update(repeating: 0, count: min(piece, values.count - start))
            }
        }
    }

    /// Returns a CRC32C of the CRC32Cs of fixed-size pieces. The result does not depend on the number of threads.
    public static func checksum(_ values: UnsafeBufferPointer<Float>, pool: WorkerPool) -> UInt32 {
        guard let base = values.baseAddress else { return 0 }
        var sums = [UInt32](repeating: 0, count: (values.count + piece - 1) / piece)
        sums.withUnsafeMutableBufferPointer { sums in
            pool.run(sums.count) { task, _ in
                let start = task * piece
                let count = min(piece, values.count - start)
                sums[task] = dt_crc32c(0, base + start, count * MemoryLayout<Float>.stride)
            }
        }
        return dt_crc32c(0, sums, sums.count * MemoryLayout<UInt32>.stride)
    }
}
