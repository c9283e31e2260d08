import Compute

/// A cache of the keys and values of earlier positions, so that a new token costs one row instead of T.
///
/// The memory order is layer, keys or values, sequence, key-value head, position. What a head reads for a token is
/// therefore contiguous.
final class KeyValueCache {
    let sequences: Int
    /// The maximum number of positions.
    let capacity: Int
    private let shape: GPTConfiguration.Attention
    private let layerCount: Int
    private let memory: FloatBuffer

    init(configuration: GPTConfiguration, sequences: Int, capacity: Int) {
        self.sequences = sequences
        self.capacity = capacity
        shape = configuration.attention
        layerCount = configuration.layerCount
        memory = FloatBuffer(
            count: Self.count(configuration: configuration, sequences: sequences, capacity: capacity)
        )
    }

    /// Returns the number of floats that a cache takes.
    static func count(configuration: GPTConfiguration, sequences: Int, capacity: Int) -> Int {
        let shape = configuration.attention
        return configuration.layerCount * 2 * sequences * capacity * shape.keyValueHeadCount * shape.headSize
    }

    /// The keys of one key-value head, (capacity, D).
    func keys(layer: Int, sequence: Int, head: Int) -> MatrixView { matrix(2 * layer, sequence, head) }

    /// The values of one key-value head, (capacity, D).
    func values(layer: Int, sequence: Int, head: Int) -> MatrixView { matrix(2 * layer + 1, sequence, head) }

    /// Copies the first sequence's keys and values of positions `0..<length` to every other sequence.
    func copyFirstSequenceToAll(length: Int) {
        for index in 0..<2 * layerCount {
            for head in 0..<shape.keyValueHeadCount {
                let source = matrix(index, 0, head)
                for sequence in 1..<max(sequences, 1) {
                    matrix(index, sequence, head).base.update(from: source.base, count: length * shape.headSize)
                }
            }
        }
    }

    private func matrix(_ index: Int, _ sequence: Int, _ head: Int) -> MatrixView {
        let place = (index * sequences + sequence) * shape.keyValueHeadCount + head
        let base = memory.base + place * capacity * shape.headSize
        return MatrixView(base, rows: capacity, columns: shape.headSize)
    }
}
