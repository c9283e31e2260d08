import Platform
import Text
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
        let given = weights.configuration
        let asked = values.model(vocabularySize: given.vocabularySize)
        for (name, wanted, present) in ModelShape.differences(asked, given) where isExplicit(name) {
            if name == "block_size", asked.blockSize < given.blockSize { continue }
            throw UserError(
                .usage,
                "\(name)=\(wanted) (\(origin(of: name))), but \(weights.source) has \(name)=\(present): leave the option out"
            )
        }
        // Only a block size that was asked for crops the model; a preset's does not.
        let blockSize = isExplicit("block_size") ? min(asked.blockSize, given.blockSize) : given.blockSize
        choose("from \(weights.source)", ModelShape.options.filter { !isExplicit($0) }) {
            $0.take(given)
            $0.blockSize = blockSize
        }
    }
}
