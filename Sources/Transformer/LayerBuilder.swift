import Compute

/// Makes layers that are views of the flat buffers.
struct LayerBuilder {
    let configuration: GPTConfiguration
    let layout: ParameterLayout
    let parameters: UnsafeMutablePointer<Float>
    let gradients: UnsafeMutablePointer<Float>?
    /// Shared by all blocks of a model that has it.
    let rotary: RotaryEmbedding?

    func embedding() -> Embedding {
        Embedding(
            tokens: matrix(parameters, layout.tokenEmbedding),
            positions: matrix(parameters, layout.positionEmbedding),
            gradient: gradients.map {
                Embedding.Gradient(
                    tokens: matrix($0, layout.tokenEmbedding),
                    positions: matrix($0, layout.positionEmbedding)
                )
            }
        )
    }

    func head() -> OutputHead {
        OutputHead(
            weight: matrix(parameters, layout.outputHead),
            gradient: gradients.map { matrix($0, layout.outputHead) }
        )
    }

    func block(_ layer: Int) -> TransformerBlock {
        let places = layout.blocks[layer]
        let width = configuration.embeddingSize
        return TransformerBlock(
            layer: layer,
            ln1: layerNorm(places.ln1),
            attention: CausalSelfAttention(
                attention: linear(places.attention, columns: 3 * width),
                projection: linear(places.attentionProjection, columns: width),
                headCount: configuration.headCount,
                pattern: AttentionPattern(variants, headCount: configuration.headCount),
                ablatedHeads: Set(variants.ablatedHeads.filter { $0.layer == layer }.map(\.head))
            ),
            ln2: layerNorm(places.ln2),
            mlp: MLP(
                fullyConnected: linear(places.fullyConnected, columns: 4 * width),
                projection: linear(places.mlpProjection, columns: width),
                activation: configuration.activation
            ),
            normPosition: variants.normPosition,
            keepsInput: variants.keepsInput,
            rotary: rotary
        )
    }

    private var variants: GPTVariants { configuration.variants }

    func layerNorm(_ place: ParameterLayout.Affine) -> LayerNorm {
        LayerNorm(
            weight: parameters + place.weight.lowerBound,
            bias: place.bias.map { parameters + $0.lowerBound },
            gradient: gradients.map { gradients in
                LayerNorm.Gradient(
                    weight: gradients + place.weight.lowerBound,
                    bias: place.bias.map { gradients + $0.lowerBound }
                )
            },
            kind: place.weight.isEmpty ? .none : variants.norm
        )
    }

    private func linear(_ place: ParameterLayout.Affine, columns: Int) -> Linear {
        Linear(
            weight: matrix(parameters, place.weight, columns: columns),
            bias: place.bias.map { parameters + $0.lowerBound },
            gradient: gradients.map { gradients in
                Linear.Gradient(
                    weight: matrix(gradients, place.weight, columns: columns),
                    bias: place.bias.map { gradients + $0.lowerBound }
                )
            }
        )
    }

    private func matrix(_ base: UnsafeMutablePointer<Float>, _ range: Range<Int>, columns: Int? = nil) -> MatrixView {
        let columns = columns ?? configuration.embeddingSize
        return MatrixView(base + range.lowerBound, rows: range.count / columns, columns: columns)
    }
}
