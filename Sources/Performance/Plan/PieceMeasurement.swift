import Compute
import Transformer

/// Times real pieces of a model on this machine: a model that is small as a whole, a large one on one layer and two of it and
/// on its head, with a chunk of the true width and length.
///
/// Nothing is assumed about the machine or about the speed of any loop, so a plan stays right when either changes.
struct PieceMeasurement {
    let configuration: GPTConfiguration
    /// Sequences of a full chunk.
    let sequences: Int
    let pool: WorkerPool
    /// Operations a second of this machine's matrix products.
    let peak: Double

    /// Stands in for a large vocabulary where layers alone are timed.
    private static let smallVocabulary = 64
    /// Up to this vocabulary the head is timed with the layers.
    private static let largestPlainVocabulary = 1024
    /// A chunk that is guessed to pass in less is timed in the whole model.
    private static let wholeChunkSeconds = 0.1
    /// Rows on which the head of a large vocabulary is timed.
    private static let headRows = 256
    /// Time for repetitions, if it is enough for two.
    private static let budget = Duration.milliseconds(1500)
    private static let mostRounds = 25

    func costs() -> PieceCosts {
        let rows = Double(sequences * configuration.blockSize)
        let guess = rows * configuration.operationsPerToken / (0.6 * peak)
        return guess < Self.wholeChunkSeconds || configuration.layerCount <= 2 ? whole() : extrapolated()
    }

    private func whole() -> PieceCosts {
        let probe = PieceProbe(configuration, sequences: sequences, pool: pool)
        let times = medians {
            [probe.trainingSeconds(), probe.forwardSeconds(), probe.updateSeconds(), probe.samplingSeconds()]
        }
        return PieceCosts(chunkTraining: times[0], chunkForward: times[1], update: times[2], sampledToken: times[3])
    }

    private func extrapolated() -> PieceCosts {
        let splitsHead = configuration.vocabularySize > Self.largestPlainVocabulary
        let vocabulary = splitsHead ? Self.smallVocabulary : configuration.vocabularySize
        let length = configuration.blockSize
        let one = probe(layers: 1, vocabulary, length, sequences)
        let two = probe(layers: 2, vocabulary, length, sequences)
        var heads: (whole: PieceProbe, small: PieceProbe)?
        let headLength = min(length, Self.headRows)
        let headSequences = min(sequences * length, max(1, Self.headRows / headLength))
        if splitsHead {
            heads = (
                probe(layers: 1, configuration.vocabularySize, headLength, headSequences),
                probe(layers: 1, vocabulary, headLength, headSequences)
            )
        }
        let timers: [(PieceProbe) -> Double] = [
            { $0.trainingSeconds() }, { $0.forwardSeconds() }, { $0.samplingSeconds() },
        ]
        let probes = [one, two] + (heads.map { [$0.whole, $0.small] } ?? [])
        let times = medians { timers.flatMap { timer in probes.map(timer) } + [two.updateSeconds()] }

        let headScale = Double(sequences * length) / Double(headSequences * headLength)
        func piece(_ timer: Int, headScale: Double) -> Double {
            let part = times[timer * probes.count..<(timer + 1) * probes.count].map { $0 }
            return PieceSamples(one: part[0], two: part[1], head: splitsHead ? (part[2], part[3]) : nil)
                .seconds(layers: configuration.layerCount, headScale: headScale)
        }
        let parameters = Double(ParameterLayout(configuration).count)
        return PieceCosts(
            chunkTraining: piece(0, headScale: headScale),
            chunkForward: piece(1, headScale: headScale),
            update: times.last! * parameters / Double(two.parameterCount),
            sampledToken: piece(2, headScale: 1)
        )
    }

    private func probe(layers: Int, _ vocabulary: Int, _ length: Int, _ sequences: Int) -> PieceProbe {
        var shape = configuration
        shape.layerCount = layers
        shape.vocabularySize = vocabulary
        shape.blockSize = length
        return PieceProbe(shape, sequences: sequences, pool: pool)
    }

    /// The median of each figure over rounds; the first round touches memory for the first time, and counts only where a
    /// figure is the less of two.
    private func medians(_ round: () -> [Double]) -> [Double] {
        let start = ContinuousClock.now
        let first = round()
        var rounds: [[Double]] = []
        while rounds.isEmpty || (ContinuousClock.now - start < Self.budget && rounds.count < Self.mostRounds) {
            rounds.append(round())
        }
        return first.indices.map { index in
            let times = rounds.map { $0[index] }.sorted()
            return times.count < 3 ? min(first[index], times[0]) : times[times.count / 2]
        }
    }
}
