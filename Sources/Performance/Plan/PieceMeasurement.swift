import Configuration
import Compute
import Training
import Transformer

/// Times the pieces of a run on this machine.
///
/// A small model is timed as a whole. For a large model, one layer, two layers and the output head are timed with the
/// true width and, unless that would take too long, with the true chunk. Nothing is assumed about the speed of the
/// machine or the code.
struct PieceMeasurement {
    let configuration: GPTConfiguration
    /// The number of sequences in a full chunk.
    let sequences: Int
    /// The options of the run, of which only those of the optimizer are used.
    let training: TrainingConfiguration
    let pool: WorkerPool
    /// The machine's peak speed in matrix products, in floating-point operations per second.
    let peak: Double

    /// Replaces a large vocabulary when layers are timed.
    private static let smallVocabulary = 64
    /// Up to this vocabulary size, the head is timed together with the layers.
    private static let maximumJointVocabulary = 1024
    /// If the estimated time of a chunk is less, in seconds, the whole model is timed.
    private static let wholeChunkSeconds = 0.1
    /// The number of rows on which the head of a large vocabulary is timed.
    private static let headRows = 256
    /// If the estimated time of two layers is longer, in seconds, they are timed on fewer rows.
    private static let maximumPieceSeconds = 3.0
    /// The shortest sequence that is timed, in tokens. Shorter ones would have matrices so small that their speed
    /// differs.
    private static let minimumLength = 128
    /// Rounds are repeated until this time has passed.
    private static let budget = Duration.milliseconds(1500)
    private static let maximumRounds = 25

    func costs() -> PieceCosts { isWhole ? whole() : extrapolated() }

    /// Whether the whole model is timed instead of pieces.
    var isWhole: Bool {
        let guess = guess(configuration, sequences: sequences)
        return guess < Self.wholeChunkSeconds || (configuration.layerCount <= 2 && guess < Self.maximumPieceSeconds)
    }

    /// The memory that the measurement needs, in bytes. It is less than that of the model, unless the model has few
    /// layers.
    var bytes: Int {
        func estimate(_ piece: Pieces.Piece) -> GPT.MemoryEstimate {
            GPT.memoryEstimate(
                configuration: piece.configuration,
                batchSize: piece.sequences,
                sequenceLength: piece.configuration.blockSize,
                threads: pool.threadCount
            )
        }
        func optimizer(_ piece: Pieces.Piece) -> Int {
            Optimizer.stateBytes(layout: ParameterLayout(piece.configuration), configuration: training)
        }
        guard !isWhole else {
            let whole = (configuration, sequences)
            return estimate(whole).total + optimizer(whole)
        }
        // Only the piece whose update is timed touches its optimizer state.
        let pieces = pieces
        return pieces.all.map { estimate($0) }.reduce(optimizer(pieces.two)) { $0 + $1.total }
    }

    /// Floating-point operations per token, counting only the causal half of attention. `operationsPerToken` counts
    /// both halves.
    private func causalOperations(_ shape: GPTConfiguration) -> Double {
        shape.operationsPerToken - 6 * Double(shape.layerCount * shape.embeddingSize * shape.blockSize)
    }

    private func guess(_ configuration: GPTConfiguration, sequences: Int) -> Double {
        Double(sequences * configuration.blockSize) * configuration.operationsPerToken / (0.6 * peak)
    }

    private func whole() -> PieceCosts {
        let probe = PieceProbe(configuration, sequences: sequences, training: training, pool: pool)
        let times = medians {
            [probe.trainingSeconds(), probe.forwardSeconds(), probe.updateSeconds(), probe.samplingSeconds()]
        }
        return PieceCosts(chunkTraining: times[0], chunkForward: times[1], update: times[2], sampledToken: times[3])
    }

    /// The small models that are timed in place of a large one.
    struct Pieces {
        typealias Piece = (configuration: GPTConfiguration, sequences: Int)

        var one: Piece
        var two: Piece
        /// One layer with the whole vocabulary and with a small one; nil if the whole vocabulary is small.
        var heads: (whole: Piece, small: Piece)?

        var all: [Piece] { [one, two] + (heads.map { [$0.whole, $0.small] } ?? []) }
    }

    var pieces: Pieces {
        let splitsHead = configuration.vocabularySize > Self.maximumJointVocabulary
        let vocabulary = splitsHead ? Self.smallVocabulary : configuration.vocabularySize
        func piece(layers: Int, _ vocabulary: Int, _ length: Int, _ sequences: Int) -> Pieces.Piece {
            var shape = configuration
            shape.layerCount = layers
            shape.vocabularySize = vocabulary
            shape.blockSize = length
            return (shape, sequences)
        }
        // Reduce the number of sequences first, then their length.
        var (length, count) = (configuration.blockSize, sequences)
        func isTooLong() -> Bool {
            let two = piece(layers: 2, vocabulary, length, count)
            return guess(two.configuration, sequences: two.sequences) > Self.maximumPieceSeconds
        }
        while count > 1, isTooLong() { count = (count + 1) / 2 }
        while length >= 2 * Self.minimumLength, isTooLong() { length /= 2 }
        let headLength = min(length, Self.headRows)
        let headCount = min(count, max(1, Self.headRows / headLength))
        return Pieces(
            one: piece(layers: 1, vocabulary, length, count),
            two: piece(layers: 2, vocabulary, length, count),
            heads: splitsHead
                ? (
                    piece(layers: 1, configuration.vocabularySize, headLength, headCount),
                    piece(layers: 1, vocabulary, headLength, headCount)
                ) : nil
        )
    }

    private func extrapolated() -> PieceCosts {
        let pieces = pieces
        let probes = pieces.all.map {
            PieceProbe($0.configuration, sequences: $0.sequences, training: training, pool: pool)
        }
        let timers: [(PieceProbe) -> Double] = [
            { $0.trainingSeconds() }, { $0.forwardSeconds() }, { $0.samplingSeconds() },
        ]
        let times = medians { timers.flatMap { timer in probes.map(timer) } + [probes[1].updateSeconds()] }

        let rows = Double(sequences * configuration.blockSize)
        func rowCount(_ piece: Pieces.Piece) -> Double {
            Double(piece.sequences * piece.configuration.blockSize)
        }
        // Scale from the timed rows to a full chunk by the number of operations. Longer sequences have more operations
        // per row.
        var twoInFull = pieces.two.configuration
        twoInFull.blockSize = configuration.blockSize
        let layerScale =
            rows * causalOperations(twoInFull) / (rowCount(pieces.two) * causalOperations(pieces.two.configuration))
        let headScale = pieces.heads.map { rows / rowCount($0.whole) } ?? 1
        func seconds(_ timer: Int, layerScale: Double, headScale: Double) -> Double {
            let part = Array(times[timer * probes.count..<(timer + 1) * probes.count])
            return PieceSamples(
                one: part[0] * layerScale,
                two: part[1] * layerScale,
                head: pieces.heads == nil ? nil : (part[2], part[3])
            ).seconds(layers: configuration.layerCount, headScale: headScale)
        }
        let parameters = Double(ParameterLayout(configuration).count)
        return PieceCosts(
            chunkTraining: seconds(0, layerScale: layerScale, headScale: headScale),
            chunkForward: seconds(1, layerScale: layerScale, headScale: headScale),
            update: times.last! * parameters / Double(probes[1].parameterCount),
            sampledToken: seconds(2, layerScale: 1, headScale: 1)
        )
    }

    /// The median of each time over rounds. With fewer than three rounds, the minimum including the first round, which
    /// is slower because it touches memory for the first time.
    private func medians(_ round: () -> [Double]) -> [Double] {
        let start = ContinuousClock.now
        let first = round()
        var rounds: [[Double]] = []
        while rounds.isEmpty || (ContinuousClock.now - start < Self.budget && rounds.count < Self.maximumRounds) {
            rounds.append(round())
        }
        return first.indices.map { index in
            let times = rounds.map { $0[index] }
            return times.count < 3 ? Spread([first[index]] + times).minimum : Spread(times).median
        }
    }
}
