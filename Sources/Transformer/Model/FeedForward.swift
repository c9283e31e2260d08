import Compute

/// The feed-forward sublayer of a block, with F hidden units. It processes each token separately:
///
/// ```
/// plain:  y = f(x W_fc + b_fc) W_proj + b_proj                       (rows, C) to (rows, F) to (rows, C)
/// gated:  y = (f(g) * u) W_proj + b_proj,  [g u] = x W_fc + b_fc     (rows, 2F) between
/// ```
/// The forward pass keeps only h = x W_fc + b_fc. The backward pass computes a = f(h), or f(g) * u, again (faster than storing
/// it):
struct FeedForward: SublayerFunction {
    let first: Linear
    let last: Linear
    let shape: GPTConfiguration.FeedForward
    let hidden: Slot  // (R, F or 2F): h, kept for backward
    private let activatedTile: Slot  // (tile, F): a, for forward
    private let activated: Slot  // (R, F): a, for backward
    private let dHidden: Slot  // (R, F or 2F)

    init(_ configuration: GPTConfiguration, _ declare: inout Declarations) {
        let (C, bias) = (configuration.embeddingSize, configuration.bias)
        shape = configuration.feedForward
        first = Linear("mlp.c_fc", (C, shape.hiddenColumns), bias: bias, &declare)
        last = Linear(
            "mlp.c_proj",
            (shape.hiddenSize, C),
            bias: bias,
            deviation: configuration.residualDeviation,
            &declare
        )
        hidden = declare.slot("mlp.hidden", columns: shape.hiddenColumns, .layer)
        activatedTile = declare.slot("mlp.activated", columns: shape.hiddenSize, .tile)
        activated = declare.slot("mlp.activated", columns: shape.hiddenSize, .backward)
        dHidden = declare.slot("mlp.dHidden", columns: shape.hiddenColumns, .backward)
    }

    var outputBias: Parameter? { last.bias }

    func firstHalf(_ x: MatrixView, _ rows: Rows) { first.forward(x, into: rows[hidden], rows) }

    func secondHalf(into y: MatrixView, _ rows: Rows) {
        rows.share { shape.activate($0[hidden], into: $0[activatedTile], $0.kernels) }
        last.forward(rows[activatedTile], into: y, addingBias: false, rows)
    }

    func backwardSecondHalf(_ dy: MatrixView, _ rows: Rows) {
        last.backward(dy, into: rows[shape.form == .gated ? activated : dHidden], rows)
        shape.activateBackward(rows[dHidden], rows[activated], rows[hidden], rows.kernels)
    }

    func backwardFirstHalf(into dx: MatrixView, _ rows: Rows) { first.backward(rows[dHidden], into: dx, rows) }

    func secondHalfTasks(_ dy: MatrixView, _ pass: Pass) -> [PhaseTask] {
        last.gradientTasks(pass[activated], dy, pass)
    }

    func firstHalfTasks(_ x: MatrixView, _ pass: Pass) -> [PhaseTask] { first.gradientTasks(x, pass[dHidden], pass) }
}
