import Configuration
import Platform
import Transformer

/// Weights that a new run starts from in place of random ones: another tool's model, or another run's checkpoint.
public struct InitialWeights {
    /// Where they come from, for messages.
    public let source: String
    /// The shape of those weights, which the run takes over; see `adopt`.
    public let configuration: GPTConfiguration
    /// Copies the weights into a model of the same shape, or with a shorter block.
    public let load: (GPT) throws -> Void

    /// Nothing is read before `load` is called.
    public init(source: String, configuration: GPTConfiguration, load: @escaping (GPT) throws -> Void) {
        self.source = source
        self.configuration = configuration
        self.load = load
    }
}

extension ResolvedConfiguration {
    /// Takes the shape of weights that are there, as nanoGPT does; a smaller block size crops theirs.
    ///
    /// - Throws: `UserError(.usage)` when the user asked for another shape.
    public mutating func adopt(_ weights: InitialWeights) throws {
        var given = TrainingConfiguration(shapeOf: weights.configuration)
        let crops = isExplicit(\.blockSize) && values.blockSize < given.blockSize
        // Only a block size that was asked for crops the model; a preset's does not.
        if crops { given.blockSize = values.blockSize }
        for key in values.shapeDifferences(from: given) where isExplicit(key) {
            throw UserError(
                .usage,
                """
                \(key.name)=\(key.argument(in: values)) (\(origin(of: key))), but \(weights.source) has \
                \(key.name)=\(key.argument(in: given)): leave the option out
                """
            )
        }
        choose("from \(weights.source)", ConfigurationKey.shape.filter { !isExplicit($0) }, from: given)
    }
}
