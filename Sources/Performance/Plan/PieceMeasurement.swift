import Configuration
import Compute
import Training
import Transformer

/// Times real pieces of a model on this machine: a model that is small as a whole, a large one on one layer and two of it and
/// on its head, with a chunk of the true width and, unless that would take long, the true length.
///
/// Nothing is assumed about the machine or about the speed of any loop, so a plan stays right when either changes.
struct PieceMeasurement {
    let configuration: GPTConfiguration
    /// Sequences of a full chunk.
    let sequences: Int
    /// Options of the run; those of the optimizer count.
    let training: TrainingConfiguration
    let pool: WorkerPool
    /// Operations a second of this machine's matrix products.
    let peak: Double

    /// Stands in for a large vocabulary where layers alone are timed.
    private static let smallVocabulary = 64
    /// Up to this vocabulary the head is timed with the layers.
    private static let maximumJointVocabulary = 1024
    /// A chunk that is guessed to pass in less is timed in the whole model.
    private static let wholeChunkSeconds = 0.1
    /// Rows on which the head of a large vocabulary is timed.
    private static let headRows = 256
    /// Two layers that are guessed to take longer are timed on fewer rows.
    private static let maximumPieceSeconds = 3.0
    /// No shorter than this, where small matrices would tell of another speed.
    private static let minimumLength = 128
    /// Time for repetitions, if it is enough for two.
    private static let budget = Duration.milliseconds(1500)
    private static let maximumRounds = 25

    func costs() -> PieceCosts { isWhole ? whole() : extrapolated() }

    /// Whether the whole model is timed.
    var isWhole: Bool {
        let guess = guess(configuration, sequences: sequences)
        return guess < Self.wholeChunkSeconds || (configuration.layerCount <= 2 && guess < Self.maximumPieceSeconds)
    }

    /// Bytes that measuring takes: less than the model, unless that is shallow.
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
        // The optimizer's state is touched only where the update is timed.
        let pieces = pieces
        return pieces.all.map { estimate($0) }.reduce(optimizer(pieces.two)) { $0 + $1.total }
    }

    /// Operations a token, of attention only the half that is computed: counted ones take the other for done too.
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

    /// The models that are timed in place of a large one.
    struct Pieces {
        typealias Piece = (configuration: GPTConfiguration, sequences: Int)

        var one: Piece
        var two: Piece
        /// One layer with the whole vocabulary and with a small one; nil when the small one is the whole.
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
        // First fewer sequences, then shorter ones.
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
        // On fewer rows than a chunk has: in proportion to the operations, of which longer sequences have more a row.
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

    /// The median of each figure over rounds; the first round touches memory for the first time, and counts only where a
    /// figure is the less of two.
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
