import Compute

/// Token and position embeddings: `x[t] = dropout(wte[token[t]] + wpe[t])`.
struct Embedding {
    let tokens: Parameter  // wte, (V, C)
    private let positions: Parameter?  // wpe, (block size, C); nil unless positions are learned

    init(_ configuration: GPTConfiguration, _ declare: inout Declarations) {
        let (V, T, C) = (configuration.vocabularySize, configuration.blockSize, configuration.embeddingSize)
        let start = Initialization.normal(deviation: 0.02)
        let isLearned = configuration.attention.positions == .learned
        tokens = declare.parameter("transformer.wte.weight", [V, C], .embedding, start)
        positions = isLearned ? declare.parameter("transformer.wpe.weight", [T, C], .embedding, start) : nil
    }

    /// Computes x (rows, C) for the tokens of these rows.
    func forward(_ rows: Rows, into x: Slot) {
        let (x, wte, wpe) = (rows[x], rows.matrix(tokens), positions.map(rows.matrix))
        Profile.measure(.embedding) {
            for index in 0..<x.rows {
                let y = x.rows(index..<index + 1)
                let token = Int(rows.token(index))
                y.base.update(from: wte.row(token), count: y.columns)
                if let wpe { rows.kernels.table.add(y.base, wpe.row(rows.position(index)), y.columns) }
            }
        }
        if let mask = rows.mask(.embedding) { rows.kernels.drop(mask, x, into: x) }
    }

    /// Turns dx into the gradient of wte + wpe, in place: elements that dropout zeroed get gradient 0.
    func backward(_ rows: Rows, _ dx: Slot) {
        if let mask = rows.mask(.embedding) { rows.kernels.drop(mask, rows[dx], into: rows[dx]) }
    }

    /// Returns the tasks that add dx (R, C) to the gradients. Each task owns a slice of columns and adds the rows in order.
    func gradientTasks(_ dx: MatrixView, _ pass: Pass) -> [PhaseTask] {
        let (dTokens, dPositions) = (pass.gradientMatrix(tokens), positions.map(pass.gradientMatrix))
        return tiles(of: dx.columns, size: 64).map { columns in
            { _ in
                Profile.measure(.embedding) {
                    for index in 0..<dx.rows {
                        let (source, token) = (dx.row(index), dTokens.row(Int(pass.tokens[index])))
                        for column in columns { token[column] += source[column] }
                        guard let position = dPositions?.row(index % pass.length) else { continue }
                        for column in columns { position[column] += source[column] }
                    }
                }
            }
        }
    }
}
