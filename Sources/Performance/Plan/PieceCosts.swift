import Transformer

/// The time of each piece of a run on this machine, in seconds.
package struct PieceCosts: Equatable, Sendable {
    /// Forward and backward pass of a full chunk.
    package var chunkTraining: Double
    /// Forward pass and loss of a full chunk.
    package var chunkForward: Double
    /// Zeroing the gradient, its norm, and the update of the parameters.
    package var update: Double
    /// One generated token.
    package var sampledToken: Double
}

/// Times of one kind of piece in small models, from which the time in a deeper model is extrapolated.
///
/// A piece takes `base + layers * layer + head`. The base does not grow with depth (embedding, final LayerNorm, head of
/// a small vocabulary). The head is the additional time of a large vocabulary, proportional to the rows.
struct PieceSamples {
    /// Seconds with one layer.
    var one: Double
    /// Seconds with two layers.
    var two: Double
    /// Seconds with one layer and the whole or a small vocabulary, on `headRows` rows; nil if the whole vocabulary is
    /// small.
    var head: (whole: Double, small: Double)?

    /// The upper limit of the base as a share of `one`. The base is a small difference of large numbers, so noise could
    /// make it too large.
    private static let maximumBaseShare = 0.25

    /// - Parameter headScale: the rows of a chunk divided by the rows on which the head was measured.
    func seconds(layers: Int, headScale: Double) -> Double {
        let base = min(max(2 * one - two, 0), Self.maximumBaseShare * one)
        let layer = (one + two - 2 * base) / 3
        let head = head.map { max(0, $0.whole - $0.small) * headScale } ?? 0
        return base + Double(layers) * layer + head
    }
}
