import Compute

/// The keys and values of the positions seen so far, layer by layer, so that a new token costs one row instead of T.
final class KeyValueCache {
    let capacity: Int
    /// Positions filled.
    private(set) var length = 0
    private let width: Int
    private let memory: FloatBuffer

    init(configuration: GPTConfiguration) {
        capacity = configuration.blockSize
        width = configuration.embeddingSize
        memory = FloatBuffer(count: configuration.layerCount * 2 * capacity * width)
    }

    func keys(layer: Int) -> MatrixView { matrix(2 * layer) }  // (capacity, C)
    func values(layer: Int) -> MatrixView { matrix(2 * layer + 1) }  // (capacity, C)

    func advance(by positions: Int) {
        length += positions
        precondition(length <= capacity)
    }

    func clear() { length = 0 }

    private func matrix(_ index: Int) -> MatrixView {
        MatrixView(memory.base + index * capacity * width, rows: capacity, columns: width)
    }
}
