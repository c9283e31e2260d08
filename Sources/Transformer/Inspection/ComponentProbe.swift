import Compute

/// Runs single layers of a model, as its passes call them, for checks of one layer.
public struct ComponentProbe {
    private let model: GPT

    /// Creates a probe that uses the model's current parameters at each call.
    public init(_ model: GPT) { self.model = model }

    /// Applies the first norm of a block to x (rows, C) and returns (rows, C).
    public func layerNorm(_ x: [Float], layer: Int) -> [Float] {
        model.normalizing(x, with: model.layers.blocks[layer].attention.norm) { _, y in
            Array(UnsafeBufferPointer(start: y.base, count: x.count))
        }
    }

    /// Applies the activation function of the feed-forward sublayers to each element.
    public func activation(_ x: [Float]) -> [Float] {
        let memory = FloatBuffer(count: x.count)
        memory.base.update(from: x, count: x.count)
        model.configuration.activation.apply(memory.base, into: memory.base, count: x.count, model.context.kernels)
        return Array(UnsafeBufferPointer(start: memory.base, count: x.count))
    }
}
