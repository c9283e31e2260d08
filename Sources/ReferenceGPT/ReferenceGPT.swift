private typealias L = ReferenceLayers

/// The sizes and options of a GPT, which determine its parameters.
package struct ReferenceConfiguration: Equatable, Sendable {
    /// The number of transformer blocks.
    package var layerCount = 2
    /// H, the number of heads; it divides the embedding size.
    package var headCount = 2
    /// The number of features per token.
    package var embeddingSize = 8  // C
    /// The maximum sequence length, in tokens.
    package var blockSize = 8
    /// The number of token ids: ids are 0 ..< V.
    package var vocabularySize = 11  // V
    /// Whether linear layers and LayerNorms add a bias.
    package var bias = true
    /// The activation function of every MLP.
    package var activation = ReferenceActivation.gelu

    /// Creates a configuration that is small enough for tests.
    package init() {}
}

/// GPT-2 and its optimizer. Layers.swift has the layers and explains the letters in shapes.
///
/// A GPT reads a sequence of tokens (small integers that represent characters or pieces of words). For every position
/// at once, it predicts how likely each token of the vocabulary is to come next. Training reads real text, measures how
/// unexpected it is for the model, and moves every parameter a little so that the text becomes more likely. This is the
/// plain form, slow and in Double; tests compare the fast form with it. Tensors have Hugging Face's names.
package struct ReferenceGPT: Sendable {
    /// The configuration. It is constant, because the parameters depend on it.
    package let configuration: ReferenceConfiguration
    /// All parameters, one tensor after another, as `tensors` names them.
    package var parameters: [Double]
    /// The name and the range in `parameters` of each tensor, in the order of the forward pass.
    package let tensors: [(name: String, range: Range<Int>)]
    private var firstMoments, secondMoments: [Double]  // AdamW's running means of each derivative and of its square

    /// Creates a model whose parameters are all zero; set `parameters` before use.
    package init(_ configuration: ReferenceConfiguration) {
        self.configuration = configuration
        let C = configuration.embeddingSize
        var tensors: [(name: String, range: Range<Int>)] = []
        func add(_ name: String, _ count: Int) {
            let start = tensors.last?.range.upperBound ?? 0
            tensors.append(("transformer.\(name)", start..<start + count))
        }
        func addAffine(_ name: String, inputs: Int = 1, outputs: Int) {
            add("\(name).weight", inputs * outputs)
            if configuration.bias { add("\(name).bias", outputs) }
        }
        add("wte.weight", configuration.vocabularySize * C)
        add("wpe.weight", configuration.blockSize * C)
        for layer in 0..<configuration.layerCount {
            addAffine("h.\(layer).ln_1", outputs: C)
            addAffine("h.\(layer).attn.c_attn", inputs: C, outputs: 3 * C)
            addAffine("h.\(layer).attn.c_proj", inputs: C, outputs: C)
            addAffine("h.\(layer).ln_2", outputs: C)
            addAffine("h.\(layer).mlp.c_fc", inputs: C, outputs: 4 * C)
            addAffine("h.\(layer).mlp.c_proj", inputs: 4 * C, outputs: C)
        }
        addAffine("ln_f", outputs: C)
        self.tensors = tensors
        parameters = [Double](repeating: 0, count: tensors.last?.range.upperBound ?? 0)
        (firstMoments, secondMoments) = (parameters, parameters)
    }

    /// The intermediate results of one block in a forward pass, which the backward pass needs.
    package struct Block: Sendable {
        /// The block's input, its first LayerNorm, and the output of the attention heads.
        package var (input, normalized1, attended) = ([Double](), [Double](), [Double]())  // (R, C)
        /// The queries, keys and values of each row side by side, and each head's weights.
        package var (qkv, attentionWeights) = ([Double](), [Double]())  // (R, 3C), (B, H, T, T)
        /// The residual stream between attention and MLP, and the second LayerNorm.
        package var (middle, normalized2) = ([Double](), [Double]())  // (R, C)
        /// The hidden units of the MLP, before and after the activation function.
        package var (hidden, activated) = ([Double](), [Double]())  // (R, 4C)
    }

    /// The blocks' intermediate results, the last block's output and its LayerNorm (R, C), and the logits (R, V).
    package typealias Activations = (blocks: [Block], output: [Double], normalized: [Double], logits: [Double])

    /// Computes the logits (B, T, V) from tokens (B, T), stored one sequence after another.
    ///
    /// Each token's vector x passes through all blocks along the residual stream. A block does not replace x but adds
    /// to it: first the output of attention, which combines information from earlier tokens, then the output of the
    /// MLP.
    package func forward(tokens: [Int], T: Int) -> Activations {
        let (C, H) = (configuration.embeddingSize, configuration.headCount)
        var blocks: [Block] = []
        var x = L.embedding(tokens: tokens, wte: tensor("wte.weight"), wpe: tensor("wpe.weight"), T: T, C: C)
        for layer in 0..<configuration.layerCount {
            var b = Block()
            b.input = x
            b.normalized1 = L.layerNorm(b.input, affine("h.\(layer).ln_1"))
            b.qkv = L.linear(b.normalized1, affine("h.\(layer).attn.c_attn"), I: C)
            (b.attended, b.attentionWeights) = L.attention(b.qkv, T: T, H: H, C: C)
            b.middle = sum(b.input, L.linear(b.attended, affine("h.\(layer).attn.c_proj"), I: C))
            b.normalized2 = L.layerNorm(b.middle, affine("h.\(layer).ln_2"))
            b.hidden = L.linear(b.normalized2, affine("h.\(layer).mlp.c_fc"), I: C)
            b.activated = b.hidden.map(configuration.activation.value)
            x = sum(b.middle, L.linear(b.activated, affine("h.\(layer).mlp.c_proj"), I: 4 * C))
            blocks.append(b)
        }
        let normalized = L.layerNorm(x, affine("ln_f"))
        return (blocks, x, normalized, L.linear(normalized, tiedHead, I: C))
    }

    /// Returns the mean loss over all tokens, in nats, and its derivative with respect to every parameter, in the order
    /// of `parameters`.
    ///
    /// tokens (B, T); targets (B, T): the next token of each token. The backward pass goes through the layers in
    /// reverse order. At a residual connection x goes both past a layer and through it, and the derivatives of both
    /// paths are added.
    package func lossAndGradients(tokens: [Int], targets: [Int], T: Int) -> (loss: Double, gradients: [Double]) {
        let (C, H) = (configuration.embeddingSize, configuration.headCount)
        let (V, N) = (configuration.vocabularySize, configuration.blockSize)
        var gradients = [String: [Double]]()
        func save(_ name: String, _ layer: (dx: [Double], dp: Affine)) -> [Double] {
            (gradients["transformer.\(name).weight"], gradients["transformer.\(name).bias"]) = layer.dp
            return layer.dx
        }
        func linear(_ name: String, dy: [Double], x: [Double], I: Int) -> [Double] {
            save(name, L.linearBackward(dy: dy, x: x, affine(name), I: I))
        }
        func layerNorm(_ name: String, dy: [Double], x: [Double]) -> [Double] {
            save(name, L.layerNormBackward(dy: dy, x: x, affine(name)))
        }
        let a = forward(tokens: tokens, T: T)
        let (loss, dlogits) = L.crossEntropy(logits: a.logits, targets: targets)
        let (dNormalized, dHead) = L.linearBackward(dy: dlogits, x: a.normalized, tiedHead, I: C)
        var dx = layerNorm("ln_f", dy: dNormalized, x: a.output)
        for layer in (0..<configuration.layerCount).reversed() {
            let b = a.blocks[layer]
            let dActivated = linear("h.\(layer).mlp.c_proj", dy: dx, x: b.activated, I: 4 * C)
            let dHidden = zip(dActivated, b.hidden).map { $0 * configuration.activation.slope($1) }
            let dNormalized2 = linear("h.\(layer).mlp.c_fc", dy: dHidden, x: b.normalized2, I: C)
            dx = sum(dx, layerNorm("h.\(layer).ln_2", dy: dNormalized2, x: b.middle))
            let dAttended = linear("h.\(layer).attn.c_proj", dy: dx, x: b.attended, I: C)
            let dqkv = L.attentionBackward(dy: dAttended, qkv: b.qkv, weights: b.attentionWeights, T: T, H: H, C: C)
            let dNormalized1 = linear("h.\(layer).attn.c_attn", dy: dqkv, x: b.normalized1, I: C)
            dx = sum(dx, layerNorm("h.\(layer).ln_1", dy: dNormalized1, x: b.input))
        }
        let (dwte, dwpe) = L.embeddingBackward(dx: dx, tokens: tokens, T: T, C: C, V: V, blockSize: N)
        // wte is both embedding and head, so the gradients of both uses are added.
        gradients["transformer.wte.weight"] = sum(dwte, transposed(dHead.weight, rows: C))
        gradients["transformer.wpe.weight"] = dwpe
        return (loss, tensors.flatMap { gradients[$0.name] ?? [] })
    }

    /// Performs one step of AdamW (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019); `step` counts
    /// from 1.
    ///
    /// `m = β₁ m + (1 - β₁) g`, `v = β₂ v + (1 - β₂) g²`, `p = p - rate * decay * p - rate * m̂ / (sqrt(v̂) + ε)`,
    /// where `m̂ = m / (1 - β₁ˢᵗᵉᵖ)` corrects for the start at zero (v̂ alike). The length of a step depends on how
    /// consistent the sign of g is, and hardly on its size. Weight decay applies to matrices and embeddings, but not to
    /// biases and LayerNorms.
    package mutating func adamWStep(gradients: [Double], step: Int, rate: Double, decay: Double, beta: (Double, Double))
    {
        var powers = (1.0, 1.0)
        for _ in 0..<step { powers = (powers.0 * beta.0, powers.1 * beta.1) }
        for (name, range) in tensors {
            let decay = name.hasSuffix(".weight") && !name.contains("ln_") ? decay : 0
            for (i, g) in zip(range, gradients[range]) {
                firstMoments[i] = beta.0 * firstMoments[i] + (1 - beta.0) * g
                secondMoments[i] = beta.1 * secondMoments[i] + (1 - beta.1) * g * g
                let (m, v) = (firstMoments[i] / (1 - powers.0), secondMoments[i] / (1 - powers.1))
                parameters[i] -= rate * (decay * parameters[i] + m / (v.squareRoot() + 1e-8))
            }
        }
    }

    private func tensor(_ name: String) -> [Double] {
        tensors.first { $0.name == "transformer.\(name)" }.map { Array(parameters[$0.range]) } ?? []
    }

    private func affine(_ name: String) -> Affine {
        (tensor("\(name).weight"), configuration.bias ? tensor("\(name).bias") : nil)
    }

    /// The output head, which uses the token embedding: a token's logit is the dot product of the last vector and its
    /// embedding.
    private var tiedHead: Affine { (transposed(tensor("wte.weight"), rows: configuration.vocabularySize), nil) }

    private func transposed(_ x: [Double], rows: Int) -> [Double] {
        (0..<x.count).map { x[$0 % rows * (x.count / rows) + $0 / rows] }
    }

    private func sum(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 + $1 } }
}
