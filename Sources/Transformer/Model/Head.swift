import Compute

/// The output head and the loss: `logits = x Wᵀ`, where W is the token embedding or an untied `lm_head`, and the loss is the
/// cross-entropy in nats. With p = softmax(logits):
///
/// ```
/// loss = lse(logits) - logits[target]      dlogits = (p - one_hot(target)) * scale
/// dx = dlogits W                           dW += dlogitsᵀ x
/// ```
/// For a small vocabulary, the logits of a whole chunk exist at once. For a vocabulary of 50,304 they would be the largest tensor
/// of all, so `VocabularyBlocks` computes the same for one block of rows at a time.
struct Head {
    let weight: Weight  // (V, C)
    private let logits: Slot  // (R, V); after the loss, their gradient
    private let losses: Slot  // (R)
    private let blocks: VocabularyBlocks?

    /// The largest vocabulary whose logits exist for a whole chunk (16 MiB for 1024 rows). Results depend on this choice, so it
    /// depends only on the model.
    private static let smallVocabulary = 4096

    init(_ configuration: GPTConfiguration, _ embedding: Embedding, _ declare: inout Declarations) {
        let (V, C, isTied) = (configuration.vocabularySize, configuration.embeddingSize, configuration.tiedHead)
        let start = Initialization.normal(deviation: 0.02)
        let parameter = isTied ? embedding.tokens : declare.parameter("lm_head.weight", [V, C], .head, start)
        let isSmall = V <= Self.smallVocabulary
        weight = declare.headWeight(parameter, isUsed: isSmall)
        logits = declare.head("logits", columns: V) { isSmall ? $0.rows * V : 0 }
        losses = declare.head("losses") { isSmall ? $0.rows : 0 }
        blocks = isSmall ? nil : VocabularyBlocks(parameter, &declare)
    }

    /// The weight, if products read all of it at once; nil if `VocabularyBlocks` reads it in blocks.
    var wholeWeight: Weight? { blocks == nil ? weight : nil }

    /// Returns the sum of the losses of all rows of x (R, C). If `dx` is given, writes `gradientScale` times x's gradient to it.
    func loss(_ pass: Pass, _ x: Slot, gradientScale: Float = 0, dx: Slot? = nil) -> Double {
        if let blocks { return blocks.loss(pass, pass[x], gradientScale: gradientScale, dx: dx.map { pass[$0] }) }
        pass.overRows { rows in
            let (logits, targets) = (rows[self.logits], pass.targets + rows.range.lowerBound)
            rows.multiplyTransposed(rows[x], weight, into: logits, part: .headProducts)
            let (losses, scale) = (rows[self.losses].base, dx == nil ? 0 : gradientScale)
            rows.kernels.table.cross_entropy(losses, logits.base, targets, scale, logits.rows, logits.columns)
            if let dx { rows.multiply(logits, weight, into: rows[dx], part: .headProducts) }
        }
        let losses = pass[self.losses]
        return (0..<pass.rows).reduce(0) { $0 + Double(losses[$1, 0]) }
    }

    /// Returns the tasks that add dlogitsᵀ x to the gradient of W after `loss`, unless `VocabularyBlocks` has added it.
    func gradientTasks(_ pass: Pass, _ x: Slot) -> [PhaseTask] {
        guard blocks == nil else { return [] }
        let (dW, dlogits, x) = (pass.gradientMatrix(weight.parameter), pass[logits], pass[x])
        return evenTiles(of: dW.rows, atMost: 384).flatMap { ids in
            tiles(of: dW.columns, size: 256).map { columns in
                { _ in
                    let tile = dW.rows(ids).columns(columns)
                    pass.addProduct(dlogits.columns(ids), x.columns(columns), to: tile, .headProducts)
                }
            }
        }
    }
}
