import Transformer

/// The cost of summing gradients over ranks by a ring, and how much of it hides behind the backward pass.
///
/// A ring sends `2 (n - 1) / n` of the gradient's bytes from each rank (Patarasuk and Yuan, "Bandwidth optimal all-reduce
/// algorithms", 2009); latency is not counted. Assumed: gradients of layers travel while the last chunk's backward pass goes
/// on, those of the embeddings only after it, since the head shares the token embedding and its gradient is complete last.
package struct Ring: Equatable, Sendable {
    /// At least 1; one rank sends nothing.
    package var ranks: Int
    /// Of each rank's link.
    package var bandwidth: Bandwidth

    /// A ring whose links are all as fast.
    package init(ranks: Int, bandwidth: Bandwidth) {
        self.ranks = ranks
        self.bandwidth = bandwidth
    }

    /// Seconds on the wire for so many bytes.
    package func seconds(bytes: Int) -> Double {
        2 * Double(ranks - 1) / Double(ranks) * Double(bytes) / bandwidth.bytesPerSecond
    }

    /// What a step spends on communication.
    package struct Cost: Equatable, Sendable {
        /// Seconds on the wire.
        package var total: Double
        /// Behind the backward pass.
        package var hidden: Double
        /// Seconds that the step is longer by.
        package var exposed: Double { total - hidden }
    }

    /// - Parameter backward: seconds of the last chunk's backward pass.
    package func cost(configuration: GPTConfiguration, backward: Double) -> Cost {
        let layout = ParameterLayout(configuration)
        let embeddings = layout.tokenEmbedding.count + layout.positionEmbedding.count
        let total = seconds(bytes: 4 * layout.count)
        let layers = seconds(bytes: 4 * (layout.count - embeddings))
        return Cost(total: total, hidden: min(layers, max(0, backward)))
    }
}
