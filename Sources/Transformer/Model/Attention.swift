import CVectorKernels
import Compute

/// Causal self-attention (Vaswani et al., 2017) with H query heads and G key-value heads of D features:
///
/// ```
/// [q k v] = x W_attn + b_attn        (R, C) to (R, (H + 2G) D): H heads of queries, G of keys, G of values
/// y = head(q, k, v)                  for each query head, with the keys and values of its group; see AttentionHead
/// out = y W_proj + b_proj            heads side by side, (R, H D) to (R, C)
/// ```
/// The linear layers process each token separately. Between them, the heads process each sequence separately.
struct Attention: SublayerFunction {
    let first, last: Linear
    let head: AttentionHead
    let shape: GPTConfiguration.Attention
    let rotary: RotaryEmbedding?
    let layer: Int
    let qkv: Slot  // (R, (H + 2G) D), kept for backward
    let logSumExp: Slot  // (sequences, H, T), kept for backward
    let attended: Slot  // (R, H D): y, kept for backward
    let scratch: Slot  // for each worker
    private let dAttended, dQKV: Slot

    init(_ configuration: GPTConfiguration, layer: Int, rotary: RotaryEmbedding?, _ declare: inout Declarations) {
        shape = configuration.attention
        let (C, D, bias) = (configuration.embeddingSize, shape.headSize, configuration.bias)
        let (width, inner) = ((shape.headCount + 2 * shape.keyValueHeadCount) * D, shape.headCount * D)
        first = Linear("attn.c_attn", (C, width), bias: bias, &declare)
        last = Linear("attn.c_proj", (inner, C), bias: bias, deviation: configuration.residualDeviation, &declare)
        head = AttentionHead(size: D, mask: configuration.attentionMask(layer: layer))
        (self.layer, self.rotary) = (layer, rotary)
        qkv = declare.slot("attn.qkv", columns: width, .layer)
        logSumExp = declare.slot("attn.logSumExp", columns: shape.headCount, .layer)
        attended = declare.slot("attn.attended", columns: inner, .layer)
        dAttended = declare.slot("attn.dAttended", columns: inner, .backward)
        // The gradient of W_attn still reads one layer's dQKV while the layer below writes its own, so two slots alternate.
        dQKV = declare.slot("attn.dQKV", columns: width, .alternating)
        scratch = declare.attentionScratch(head)
    }

    var outputBias: Parameter? { last.bias }

    func firstHalf(_ x: MatrixView, _ rows: Rows) {
        first.forward(x, into: rows[qkv], rows)
        rows.share { rotary?.rotate(queriesAndKeys($0[qkv]), $0) }
    }

    func secondHalf(into y: MatrixView, _ rows: Rows) { last.forward(rows[attended], into: y, addingBias: false, rows) }

    func backwardSecondHalf(_ dy: MatrixView, _ rows: Rows) { last.backward(dy, into: rows[dAttended], rows) }

    func backwardFirstHalf(into dx: MatrixView, _ rows: Rows) {
        rotary?.rotate(queriesAndKeys(rows[dQKV]), backwards: true, rows)
        first.backward(rows[dQKV], into: dx, rows)
    }

    func secondHalfTasks(_ dy: MatrixView, _ pass: Pass) -> [PhaseTask] { last.gradientTasks(pass[attended], dy, pass) }

    func firstHalfTasks(_ x: MatrixView, _ pass: Pass) -> [PhaseTask] { first.gradientTasks(x, pass[dQKV], pass) }

    // MARK: Heads, between the two halves

    /// Computes one query head of one sequence, or some of its queries.
    func forward(_ task: HeadTask, _ pass: Pass) {
        let sequence = pass.sequence(task.sequence)
        let y = sequence[attended].columns(columns(task.head))
        head.forward(view(sequence[qkv], head: task.head), into: y, HeadPass(task, head: task.head, of: self, pass))
    }

    /// Computes the gradients of one key-value head of one sequence. Its query heads run in order, which fixes the sums for dk
    /// and dv.
    func backward(_ task: HeadTask, _ pass: Pass) {
        let sequence = pass.sequence(task.sequence)
        let groupSize = shape.headCount / shape.keyValueHeadCount
        for index in task.head * groupSize..<(task.head + 1) * groupSize {
            let (qkv, dQKV) = (view(sequence[qkv], head: index), view(sequence[dQKV], head: index))
            let (y, dy) = (sequence[attended].columns(columns(index)), sequence[dAttended].columns(columns(index)))
            let headPass = HeadPass(task, head: index, of: self, pass)
            head.backward(qkv, y: y, dy: dy, into: dQKV, adds: index % groupSize > 0, headPass)
        }
    }

    /// Returns a query head with the keys and values of its group: columns of q, k and v, or of their gradients.
    func view(_ qkv: MatrixView, head: Int) -> HeadView {
        let (H, G) = (shape.headCount, shape.keyValueHeadCount)
        let group = head / (H / G)
        let (k, v) = (columns(H + group), columns(H + G + group))
        return HeadView(q: qkv.columns(columns(head)), k: qkv.columns(k), v: qkv.columns(v), index: head)
    }

    private func columns(_ head: Int) -> Range<Int> { head * shape.headSize..<(head + 1) * shape.headSize }

    private func queriesAndKeys(_ qkv: MatrixView) -> MatrixView {
        qkv.columns(0..<(shape.headCount + shape.keyValueHeadCount) * shape.headSize)
    }
}

/// One head over one sequence, or over one document in it:
///
/// ```
/// P = softmax(mask(q kᵀ / sqrt(D)))      y = dropout(P) v                       (T, T), (T, D)
/// dv += dropout(P)ᵀ dy      dP = dropout'(dy vᵀ)      dS = P * (dP - rowsum(dy * y)) / sqrt(D)
/// dq = dS k                 dk += dSᵀ q
/// ```
/// The head processes blocks of query rows. A block uses only the keys up to its last row. It therefore computes no tiles above
/// the diagonal, and only (block, T) scores exist at a time. The forward pass keeps the log of each row's sum of exponentials,
/// from which the backward pass computes P again (as in FlashAttention, Dao et al., 2022).
struct AttentionHead {
    /// D, the number of features.
    let size: Int
    let mask: any AttentionMask

    /// Computes y for these blocks of query rows.
    func forward(_ head: HeadView, _ blocks: [Range<Int>], into y: MatrixView, _ pass: HeadPass) {
        let scratch = pass.scratch
        let keys = scratch.factor(head.k, .transposed, .first)
        let values = scratch.factor(head.v, .plain, .second)
        for rows in blocks {
            let scores = scratch.scores(rows.count, mask.visibleKeyCount(rows, of: head.length), length: head.length)
            scratch.multiply(head.q.rows(rows), keys, into: scores, scale: mask.scale(headSize: size))
            let weights = scratch.softmax(scores, mask, head.place(rows), pass)
            scratch.multiply(weights, values, into: y.rows(rows))
        }
    }

    /// Writes the gradients dq, dk and dv. If `adds` is set, adds to the dk and dv that another head of the group has written.
    func backward(_ head: HeadView, _ y: MatrixView, _ dy: MatrixView, into d: HeadView, adds: Bool, _ pass: HeadPass) {
        let (scratch, scale) = (pass.scratch, mask.scale(headSize: size))
        let keysTransposed = scratch.factor(head.k, .transposed, .first)
        let keys = scratch.factor(head.k, .plain, .second)
        let valuesTransposed = scratch.factor(head.v, .transposed, .third)
        // Start with the last block: it attends to every key, so it initializes all of dk and dv.
        for rows in tiles(of: head.length, size: mask.queryBlockSize(head.length)).reversed() {
            let (seen, place) = (0..<mask.visibleKeyCount(rows, of: head.length), head.place(rows))
            let keep: Float = rows.upperBound == head.length && !adds ? 0 : 1
            let (q, y, dy) = (head.q.rows(rows), y.rows(rows), dy.rows(rows))
            let p = scratch.scores(rows.count, seen.count, length: head.length)
            scratch.multiply(q, keysTransposed, into: p, scale: scale)
            scratch.probabilities(p, mask, place, pass)
            let ds = scratch.scoreGradients(rows.count, seen.count, length: head.length)
            scratch.multiply(dy, valuesTransposed, into: ds)
            scratch.softmaxBackward(ds, p, rowDots: (dy, y), scale: scale, mask, place, pass)
            scratch.multiply(p, .transposed, dy, into: d.v.rows(seen), keep: keep)
            scratch.multiply(ds, keys, into: d.q.rows(rows))
            scratch.multiply(ds, .transposed, q, into: d.k.rows(seen), keep: keep)
        }
    }
}

/// Determines which keys each query attends to.
protocol AttentionMask {
    /// The number of query rows in a block, for a sequence of `length` tokens.
    func queryBlockSize(_ length: Int) -> Int
    /// The number of keys, out of `length`, that a block of query rows needs.
    func visibleKeyCount(_ rows: Range<Int>, of length: Int) -> Int
    /// The factor that multiplies q kᵀ.
    func scale(headSize: Int) -> Float
    /// Returns groups of rows of scores (queries, keys) for single kernel calls: the first row of a group attends to `visible`
    /// keys, each further row to one more. A row without keys gets weights of 0. If `scores` is given, the mask may change the
    /// scores first.
    func visibleRows(_ queries: Int, _ keys: Int, _ place: ScorePlace, changing scores: MatrixView?) -> [VisibleRows]
}

/// Query t attends to keys 0 ... t.
struct CausalMask: AttentionMask {
    /// 64 rows of scores by 1024 keys take 256 KiB, which fits a core's L2 cache. Short sequences use smaller blocks, so that
    /// little is computed above the diagonal. BLAS gives rows the same bits only in blocks that are multiples of 16.
    func queryBlockSize(_ length: Int) -> Int { length <= 128 ? 32 : 64 }
    func visibleKeyCount(_ rows: Range<Int>, of length: Int) -> Int { rows.upperBound }
    func scale(headSize: Int) -> Float { 1 / Float(headSize).squareRoot() }
    func visibleRows(_ queries: Int, _ keys: Int, _ place: ScorePlace, changing scores: MatrixView?) -> [VisibleRows] {
        [VisibleRows(rows: 0..<queries, visible: place.query + 1)]
    }
}
