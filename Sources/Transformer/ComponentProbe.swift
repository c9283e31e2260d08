import Compute

/// Single layers of a model by themselves, as its passes call them: for checks that want to see one at work.
public struct ComponentProbe {
    private let model: GPT

    /// Copies nothing: each call computes with the parameters that the model has then.
    public init(_ model: GPT) { self.model = model }

    /// The first normalization of a block: x (rows, C) to (rows, C).
    public func layerNorm(_ x: [Float], layer: Int) -> [Float] {
        let width = model.configuration.embeddingSize
        let rows = x.count / width
        let memory = FloatBuffer(count: 2 * x.count + 2 * rows)
        let (input, output) = (memory.base, memory.base + x.count)
        input.update(from: x, count: x.count)
        let statistics = LayerNorm.Statistics(mean: output + x.count, rstd: output + x.count + rows)
        model.blocks[layer].ln1.forward(
            MatrixView(input, rows: rows, columns: width),
            into: MatrixView(output, rows: rows, columns: width),
            statistics
        )
        return Array(UnsafeBufferPointer(start: output, count: x.count))
    }

    /// The nonlinearity of the MLP, element by element.
    public func activation(_ x: [Float]) -> [Float] {
        let memory = FloatBuffer(count: x.count)
        memory.base.update(from: x, count: x.count)
        let row = MatrixView(memory.base, rows: 1, columns: x.count)
        model.blocks[0].mlp.activate(row, into: row)
        return Array(UnsafeBufferPointer(start: memory.base, count: x.count))
    }
}
