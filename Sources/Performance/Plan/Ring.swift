import Transformer

/// The estimated time of a ring all-reduce of the gradients, and how much of it overlaps with the backward pass.
///
/// In a ring of n ranks, each rank sends `2 (n - 1) / n` times the gradient's bytes (Patarasuk and Yuan, "Bandwidth
/// optimal all-reduce algorithms", 2009). Latency is ignored. The gradients of the layers are sent during the last
/// chunk's backward pass. Those of the embeddings follow after it, because the head shares the token embedding, whose
/// gradient is complete last.
package struct Ring: Equatable, Sendable {
    /// At least 1.
    package var ranks: Int
    /// The speed of each rank's link.
    package var bandwidth: Bandwidth

    package init(ranks: Int, bandwidth: Bandwidth) {
        self.ranks = ranks
        self.bandwidth = bandwidth
    }

    /// The seconds that a sum of this many bytes takes.
    package func seconds(bytes: Int) -> Double {
        2 * Double(ranks - 1) / Double(ranks) * Double(bytes) / bandwidth.bytesPerSecond
    }

    /// The communication time per step, in seconds.
    package struct Cost: Equatable, Sendable {
        package var total: Double
        /// The part that overlaps with the backward pass.
        package var hidden: Double
        /// The part that makes the step longer.
        package var exposed: Double { total - hidden }
    }

    /// - Parameter backward: the time of the last chunk's backward pass, in seconds.
    package func cost(configuration: GPTConfiguration, backward: Double) -> Cost {
        let layout = ParameterLayout(configuration)
        let embeddings = layout.tokenEmbedding.count + layout.positionEmbedding.count
        let total = seconds(bytes: 4 * layout.count)
        let layers = seconds(bytes: 4 * (layout.count - embeddings))
        return Cost(total: total, hidden: min(layers, max(0, backward)))
    }
}
