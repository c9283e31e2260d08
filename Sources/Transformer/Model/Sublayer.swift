import Compute

/// The function of a sublayer, between its norm and its residual connection: attention or feed-forward. It has two halves. In
/// attention, the heads run between the halves and combine tokens; everything else processes each token separately.
protocol SublayerFunction {
    /// The bias of the last linear layer, which the residual connection adds.
    var outputBias: Parameter? { get }
    /// Computes the first half from x (rows, C).
    func firstHalf(_ x: MatrixView, _ rows: Rows)
    /// Computes the second half and writes y (rows, C), without the bias.
    func secondHalf(into y: MatrixView, _ rows: Rows)
    /// Runs the backward pass of the second half from dy (rows, C).
    func backwardSecondHalf(_ dy: MatrixView, _ rows: Rows)
    /// Runs the backward pass of the first half and writes dx (rows, C).
    func backwardFirstHalf(into dx: MatrixView, _ rows: Rows)
    /// Returns the tasks that add the gradients of the second half's parameters. dy (R, C) is the gradient of its output.
    func secondHalfTasks(_ dy: MatrixView, _ pass: Pass) -> [PhaseTask]
    /// Returns the tasks that add the gradients of the first half's parameters. x (R, C) is its input.
    func firstHalfTasks(_ x: MatrixView, _ pass: Pass) -> [PhaseTask]
}

/// A residual connection, which combines a sublayer's input with the output of its function.
protocol Residual {
    /// y = x + dropout(change + bias); all are (rows, C).
    func add(_ change: MatrixView, bias: Parameter?, to x: MatrixView, into y: MatrixView, _ mask: Mask?, _ rows: Rows)
    /// Returns the gradient that reaches x directly, not through the function, given the gradient of y; nil for none.
    func skip(_ dy: MatrixView) -> MatrixView?
}

/// The standard residual connection: the gradient of y reaches x unchanged.
struct ResidualConnection: Residual {
    func add(_ change: MatrixView, bias: Parameter?, to x: MatrixView, into y: MatrixView, _ mask: Mask?, _ rows: Rows)
    {
        rows.kernels.addResidual(x, change, bias: bias.map(rows.values), into: y, mask)
    }

    func skip(_ dy: MatrixView) -> MatrixView? { dy }
}

/// A norm, a function f and a residual connection. A block has two sublayers, attention and feed-forward.
///
/// ```
/// pre-norm (GPT-2):  y = x + dropout(f(norm(x)))        post-norm:  y = norm(x + dropout(f(x)))
/// ```
struct Sublayer<Function: SublayerFunction> {
    let function: Function
    let norm: any Normalization
    private let residual: any Residual
    private let isPre: Bool
    private let site: Dropout.Site
    let input: Slot  // (R, C), the residual stream x, kept for backward
    private let normalized, change: Slot  // (tile, C): norm(x), and the output of f
    private let sum, dSum: Slot?  // (R, C), post-norm: x + dropout(f(x)), kept for backward, and its gradient
    let dOutput: Slot  // (R, C), the gradient of y
    private let dropped: Slot  // (R, C), dy with dropout's mask applied: the gradient of f's output
    private let dNormalized, recomputedNormalized: Slot  // (R, C)

    /// - Parameter name: distinguishes the memory slots of attention from those of feed-forward.
    init(
        _ name: String,
        norm: String,
        _ residual: any Residual,
        _ site: Dropout.Site,
        _ configuration: GPTConfiguration,
        _ declare: inout Declarations,
        _ function: (inout Declarations) -> Function
    ) {
        let C = configuration.embeddingSize
        self.norm = configuration.norm(norm, &declare)
        self.function = function(&declare)
        (self.residual, self.site, isPre) = (residual, site, configuration.norm.place == .pre)
        input = declare.slot("\(name).input", columns: C, .layer)
        normalized = declare.slot("normalized", columns: C, .tile)
        change = declare.slot("change", columns: C, .tile)
        sum = isPre ? nil : declare.slot("\(name).sum", columns: C, .layer)
        dSum = isPre ? nil : declare.slot("\(name).dSum", columns: C, .backward)
        dOutput = declare.slot("\(name).dOutput", columns: C, .backward)
        dropped = declare.slot("\(name).dropped", columns: C, .backward)
        dNormalized = declare.slot("\(name).dNormalized", columns: C, .backward)
        recomputedNormalized = declare.slot("\(name).normalized", columns: C, .backward)
    }

    // MARK: Forward, for a tile of rows

    /// Runs the forward pass from x to the middle of f.
    func firstHalf(_ rows: Rows) {
        guard isPre else { return function.firstHalf(rows[input], rows) }
        rows.share { norm.forward($0[input], into: $0[normalized], $0) }
        function.firstHalf(rows[normalized], rows)
    }

    /// Runs the forward pass from the middle of f to y.
    func secondHalf(_ rows: Rows, into output: Slot) {
        function.secondHalf(into: rows[change], rows)
        rows.share { rows in
            let sum = rows[sum ?? output]
            residual.add(rows[change], bias: function.outputBias, to: rows[input], into: sum, rows.mask(site), rows)
            if !isPre { norm.forward(sum, into: rows[output], rows) }
        }
    }

    // MARK: Backward, for a tile of rows

    /// Propagates the gradient from dy to the middle of f.
    func backwardSecondHalf(_ rows: Rows) {
        if let sum, let dSum { norm.backward(rows[dOutput], x: rows[sum], skip: nil, into: rows[dSum], rows) }
        if let mask = rows.mask(site) { rows.kernels.drop(mask, rows[dSum ?? dOutput], into: rows[dropped]) }
        function.backwardSecondHalf(rows[dFunctionOutput(rows.pass)], rows)
    }

    /// Propagates the gradient from the middle of f to dx, which is the gradient of the previous sublayer's output.
    func backwardFirstHalf(_ rows: Rows, into dInput: Slot) {
        let (dx, skip) = (rows[dInput], residual.skip(rows[dSum ?? dOutput]))
        function.backwardFirstHalf(into: isPre ? rows[dNormalized] : dx, rows)
        guard isPre else { return skip.map { rows.kernels.add($0, to: dx) } ?? () }
        norm.backward(rows[dNormalized], x: rows[input], skip: skip, into: dx, rows)
        norm.forward(rows[input], into: rows[recomputedNormalized], rows)
    }

    // MARK: Gradients of the parameters, summed over the rows of the chunk

    /// Returns the gradient tasks that can run once `backwardSecondHalf` has finished every row.
    func secondHalfTasks(_ pass: Pass) -> [PhaseTask] {
        let tasks = function.secondHalfTasks(pass[dFunctionOutput(pass)], pass)
        return tasks + (sum.map { norm.gradientTasks(pass[dOutput], x: pass[$0], pass) } ?? [])
    }

    /// Returns the gradient tasks that can run once `backwardFirstHalf` has finished every row.
    func firstHalfTasks(_ pass: Pass) -> [PhaseTask] {
        guard isPre else { return function.firstHalfTasks(pass[input], pass) }
        let tasks = function.firstHalfTasks(pass[recomputedNormalized], pass)
        return tasks + norm.gradientTasks(pass[dNormalized], x: pass[input], pass)
    }

    /// The slot of the gradient of f's output.
    private func dFunctionOutput(_ pass: Pass) -> Slot { pass.dropout == nil ? dSum ?? dOutput : dropped }
}
