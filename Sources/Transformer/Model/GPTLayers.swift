import Compute

/// The layers of a GPT, in the order of the forward pass:
///
/// ```
/// x = dropout(wte[tokens] + wpe)                                             (B, T, C)
/// for each block: x += attention(ln_1(x)); x += feedForward(ln_2(x))
/// logits = ln_f(x) Wᵀ                                                        (B, T, V)
/// ```
struct GPTLayers {
    struct Block {
        let attention: Sublayer<Attention>
        let feedForward: Sublayer<FeedForward>
        /// The index of the block's first parameter in the flat buffer.
        let firstParameter: Int
    }

    let embedding: Embedding
    let blocks: [Block]
    let finalNorm: any Normalization
    let head: Head
    /// The index of the first parameter after the last block in the flat buffer.
    let endOfBlocks: Int
    let stream: Slot  // (R, C), x after the last block
    let normalized: Slot  // (R, C), ln_f(x)
    let dNormalized: Slot  // (R, C)
    let declarations: Declarations

    init(_ configuration: GPTConfiguration) {
        var declare = Declarations()
        embedding = Embedding(configuration, &declare)
        let rotary = configuration.attention.positions == .rotary ? RotaryEmbedding(configuration) : nil
        blocks = (0..<configuration.layerCount).map { layer in
            declare.block(layer) { Block(configuration, layer: layer, rotary, &$0) }
        }
        endOfBlocks = declare.count
        finalNorm = configuration.norm(configuration.norm.place == .pre ? "transformer.ln_f" : nil, &declare)
        head = Head(configuration, embedding, &declare)
        let C = configuration.embeddingSize
        // These slots have the same names as slots of the blocks, so they share memory: without a backward pass one stream is
        // enough, and this gradient is never needed at the same time as those of the blocks.
        stream = declare.slot("attn.input", columns: C, .layer)
        normalized = declare.slot("ln_f.normalized", columns: C, .layer)
        dNormalized = declare.slot("attn.dNormalized", columns: C, .backward)
        declarations = declare
    }

    // MARK: Forward

    /// Computes the normalized stream (R, C) from the tokens. Phases over tiles of rows alternate with phases over heads. One row
    /// phase covers the end of a block and the start of the next, so that a tile stays in cache.
    func forward(_ pass: Pass) {
        pass.beginForward()
        pass.overRows { rows in
            embedding.forward(rows, into: blocks[0].attention.input)
            blocks[0].attention.firstHalf(rows)
        }
        for (layer, block) in blocks.enumerated() {
            let next = layer + 1 < blocks.count ? blocks[layer + 1] : nil
            pass.overHeads(block.attention.function, layer: layer)
            pass.overRows { rows in
                block.attention.secondHalf(rows, into: block.feedForward.input)
                block.feedForward.firstHalf(rows)
                block.feedForward.secondHalf(rows, into: next?.attention.input ?? stream)
                next?.attention.firstHalf(rows)
                if next == nil { finalNorm.forward(rows[stream], into: rows[normalized], rows) }
            }
        }
    }

    // MARK: Backward

    /// Returns the sum of all losses and adds `gradientScale` times its gradient to the gradients, from the last layer to the
    /// first. Gradients of weights are sums over all rows. Their tasks wait for the end of a row phase and then run in the same
    /// phase as the next heads. `finished` is called with a decreasing index, from which on the flat gradient is final.
    func backward(_ pass: Pass, gradientScale: Float, finished: ((Int) -> Void)?) -> Double {
        let loss = head.loss(pass, normalized, gradientScale: gradientScale, dx: dNormalized)
        let last = blocks[blocks.count - 1]
        pass.beginBackward()
        pass.overRows { rows in
            let dx = rows[last.feedForward.dOutput]
            finalNorm.backward(rows[dNormalized], x: rows[stream], skip: nil, into: dx, rows)
            last.backwardToHeads(rows)
        }
        var pending = head.gradientTasks(pass, normalized)
        pending += finalNorm.gradientTasks(pass[dNormalized], x: pass[stream], pass)
        for (layer, block) in blocks.enumerated().reversed() {
            pending += block.gradientTasksToHeads(pass)
            pass.overHeadsBackward(block.attention.function, layer: layer, beside: pending)
            finished?(layer + 1 < blocks.count ? blocks[layer + 1].firstParameter : endOfBlocks)
            pass.overRows { rows in
                block.attention.backwardFirstHalf(rows, into: block.feedForward.dOutput)
                if layer > 0 { blocks[layer - 1].backwardToHeads(rows) }
                if layer == 0 { embedding.backward(rows, block.feedForward.dOutput) }
            }
            pending = block.attention.firstHalfTasks(pass)
        }
        pass.run(pending + embedding.gradientTasks(pass[blocks[0].feedForward.dOutput], pass))
        finished?(0)
        return loss
    }
}

extension GPTLayers.Block {
    init(_ configuration: GPTConfiguration, layer: Int, _ rotary: RotaryEmbedding?, _ declare: inout Declarations) {
        let residuals = configuration.residuals
        let sites = (Dropout.Site.attentionOutput(layer: layer), Dropout.Site.mlpOutput(layer: layer))
        firstParameter = declare.count
        attention = Sublayer("attn", norm: "ln_1", residuals.attention, sites.0, configuration, &declare) {
            Attention(configuration, layer: layer, rotary: rotary, &$0)
        }
        feedForward = Sublayer("mlp", norm: "ln_2", residuals.feedForward, sites.1, configuration, &declare) {
            FeedForward(configuration, &$0)
        }
    }

    /// Propagates the gradient from the block's output to the heads' outputs.
    func backwardToHeads(_ rows: Rows) {
        feedForward.backwardSecondHalf(rows)
        feedForward.backwardFirstHalf(rows, into: attention.dOutput)
        attention.backwardSecondHalf(rows)
    }

    /// Returns the gradient tasks of the parameters that `backwardToHeads` has passed.
    func gradientTasksToHeads(_ pass: Pass) -> [PhaseTask] {
        feedForward.secondHalfTasks(pass) + feedForward.firstHalfTasks(pass) + attention.secondHalfTasks(pass)
    }
}

extension GPTConfiguration {
    /// The standard deviation of a block's two projections into the residual stream: 0.02 / sqrt(2 layers), as in GPT-2.
    var residualDeviation: Double { 0.02 / Double(2 * layerCount).squareRoot() }

    /// Returns a norm whose parameters have this name; for nil, a norm that copies x unchanged.
    func norm(_ name: String?, _ declare: inout Declarations) -> any Normalization {
        guard let name, norm.kind != .none else { return IdentityNorm() }
        return LayerNorm(name, self, &declare)
    }
}
