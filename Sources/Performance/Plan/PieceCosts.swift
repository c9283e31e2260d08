import Transformer

/// Seconds of the pieces that a run consists of, on this machine with these threads.
package struct PieceCosts: Equatable, Sendable {
    /// Forward and backward pass of one full chunk.
    package var chunkTraining: Double
    /// Forward pass and loss of one full chunk.
    package var chunkForward: Double
    /// Clearing the gradient, its norm, and the update of the parameters.
    package var update: Double
    /// One token of a sample.
    package var sampledToken: Double
}

/// One kind of piece over models that differ in depth and vocabulary, from which that of a deeper one follows.
///
/// A piece costs `base + layers * layer + head`: the base is what does not grow with depth (embedding, final LayerNorm, the
/// head of a small vocabulary), the head what a large vocabulary adds, in proportion to the rows.
struct PieceSamples {
    /// One layer, and two.
    var one: Double
    var two: Double
    /// One layer with the whole vocabulary and with a small one, on `headRows` rows; nil when the small one is the whole.
    var head: (whole: Double, small: Double)?

    /// The base is a small difference of large figures, so it is kept to what it can be: at most this share of a layer.
    private static let maximumBaseShare = 0.25

    /// - Parameter headScale: rows of a chunk over the rows that the head was measured on.
    func seconds(layers: Int, headScale: Double) -> Double {
        let base = min(max(2 * one - two, 0), Self.maximumBaseShare * one)
        let layer = (one + two - 2 * base) / 3
        let head = head.map { max(0, $0.whole - $0.small) * headScale } ?? 0
        return base + Double(layers) * layer + head
    }
}
