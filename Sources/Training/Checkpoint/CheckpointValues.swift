import Transformer

/// The numbers of a checkpoint: three flat buffers in the order of one layout, valid while their owners keep them.
struct CheckpointValues: @unchecked Sendable {
    let layout: ParameterLayout
    let parameters: UnsafeBufferPointer<Float>
    /// AdamW's `m` and `v`.
    let firstMoments: UnsafeBufferPointer<Float>
    let secondMoments: UnsafeBufferPointer<Float>
}

extension CheckpointValues {
    /// Those that training works on.
    init(_ model: GPT, _ optimizer: AdamW) {
        self.init(
            layout: model.layout,
            parameters: UnsafeBufferPointer(model.parameters.elements),
            firstMoments: UnsafeBufferPointer(optimizer.firstMoments.elements),
            secondMoments: UnsafeBufferPointer(optimizer.secondMoments.elements)
        )
    }
}
