import Compute

/// A weight in the orientation in which a row phase multiplies by it.
struct WeightUse {
    let weight: Weight
    let orientation: Orientation
    var isHead = false
}

/// Which weights each row phase multiplies by, so that they can be packed shortly before.
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

    /// The weights of the first row phase forward.
    var first: [WeightUse] { [WeightUse(weight: blocks[0].first, orientation: .plain)] }

    /// The weights of the row phase forward that follows a layer's heads; after the last layer also the head's.
    func forward(after layer: Int, forBackward: Bool) -> [WeightUse] {
        var weights = blocks[layer].rest
        if layer + 1 < blocks.count { weights.append(blocks[layer + 1].first) }
        let uses = weights.map { WeightUse(weight: $0, orientation: .plain) }
        return layer + 1 == blocks.count ? uses + headUses(forBackward) : uses
    }

    /// The weights of the row phase backward that follows a layer's heads; nil for the first row phase.
    func backward(after layer: Int?) -> [WeightUse] {
        let below = layer.map { $0 - 1 } ?? blocks.count - 1
        let weights = (layer.map { [blocks[$0].first] } ?? []) + (below >= 0 ? blocks[below].rest : [])
        return weights.map { WeightUse(weight: $0, orientation: .transposed) }
    }

    /// The weights of all blocks; those of the backward pass only if one follows.
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
