import Compute

/// Single layers of a model by themselves, as its passes call them: for checks that look at one layer.
public struct ComponentProbe {
    private let model: GPT

    /// Copies nothing: each call computes with the parameters that the model has then.
    public init(_ model: GPT) { self.model = model }

    /// The first norm of a block: x (rows, C) to (rows, C).
    public func layerNorm(_ x: [Float], layer: Int) -> [Float] {
        model.normalizing(x, with: model.layers.blocks[layer].attention.norm) { _, y in
            Array(UnsafeBufferPointer(start: y.base, count: x.count))
        }
    }

    /// The nonlinearity of the feed-forward halves, element by element.
    public func activation(_ x: [Float]) -> [Float] {
        let memory = FloatBuffer(count: x.count)
        memory.base.update(from: x, count: x.count)
        model.configuration.activation.apply(memory.base, into: memory.base, count: x.count, model.context.kernels)
        return Array(UnsafeBufferPointer(start: memory.base, count: x.count))
    }
}
