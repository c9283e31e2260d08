import Compute

/// A weight and the orientation in which a row phase uses it.
struct WeightUse {
    let weight: Weight
    let orientation: Orientation
    var isHead = false
}

/// The weights that each row phase multiplies by, so that they can be packed shortly before.
struct WeightSchedule {
    private let blocks: [(first: Weight, rest: [Weight])]
    private let head: Weight?

    init(_ layers: GPTLayers) {
        blocks = layers.blocks.map { block in
            let (attention, feedForward) = (block.attention.function, block.feedForward.function)
            return (attention.first.weight, [attention.last.weight, feedForward.first.weight, feedForward.last.weight])
        }
        head = layers.head.wholeWeight
    }

    /// The weights of the forward pass's first row phase.
    var first: [WeightUse] { [WeightUse(weight: blocks[0].first, orientation: .plain)] }

    /// Returns the weights of the row phase after a layer's heads in the forward pass. After the last layer, these
    /// include the head's.
    func forward(after layer: Int, forBackward: Bool) -> [WeightUse] {
        var weights = blocks[layer].rest
        if layer + 1 < blocks.count { weights.append(blocks[layer + 1].first) }
        let uses = weights.map { WeightUse(weight: $0, orientation: .plain) }
        return layer + 1 == blocks.count ? uses + headUses(forBackward) : uses
    }

    /// Returns the weights of the row phase after a layer's heads in the backward pass; nil stands for the first row
    /// phase.
    func backward(after layer: Int?) -> [WeightUse] {
        let below = layer.map { $0 - 1 } ?? blocks.count - 1
        let weights = (layer.map { [blocks[$0].first] } ?? []) + (below >= 0 ? blocks[below].rest : [])
        return weights.map { WeightUse(weight: $0, orientation: .transposed) }
    }

    /// Returns the weights of all blocks; transposed ones only for a backward pass.
    func all(forBackward: Bool) -> [WeightUse] {
        let orientations: [Orientation] = forBackward ? [.plain, .transposed] : [.plain]
        return blocks.flatMap { block in
            orientations.flatMap { orientation in
                ([block.first] + block.rest).map { WeightUse(weight: $0, orientation: orientation) }
            }
        }
    }

    private func headUses(_ forBackward: Bool) -> [WeightUse] {
        guard let head else { return [] }
        let orientations: [Orientation] = forBackward ? [.transposed, .plain] : [.transposed]
        return orientations.map { WeightUse(weight: head, orientation: $0, isHead: true) }
    }
}
