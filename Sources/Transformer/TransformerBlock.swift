import CVectorKernels
import Compute

/// One block: `x += attention(ln_1(x)); x += mlp(ln_2(x))`, pre-LayerNorm as in GPT-2.
///
/// Everything but attention itself works on each token alone, so a pass is cut into phases: one over tiles of rows, one
/// over heads. The row phase of a block's end and that of the next block's beginning are one.
///
/// An experiment may leave out a residual connection, or normalize the stream itself after each half (`NormPosition.post`):
/// `m = ln_1(x + attention(x)); x = ln_2(m + mlp(m))`.
struct TransformerBlock {
    let layer: Int
    let ln1: LayerNorm
    let attention: CausalSelfAttention
    let ln2: LayerNorm
    let mlp: MLP
    let normPosition: GPTVariants.NormPosition
    /// Whether x goes on beside the output of attention, and of the MLP.
    let keepsInput: (attention: Bool, mlp: Bool)
    let rotary: RotaryEmbedding?

    private var isPre: Bool { normPosition == .pre }

    /// The normalization between attention and MLP: of what goes into the MLP, or of the stream itself.
    private func middleNorm(_ state: BlockState) -> (layer: LayerNorm, statistics: LayerNorm.Statistics) {
        isPre ? (ln2, state.ln2) : (ln1, state.ln1)
    }

    // MARK: Packing of weights, to be done before the row phases that use them

    func packingTasksToAttention(_ orientation: Orientation, _ weights: PackedWeights) -> [PhaseTask] {
        attention.attention.packingTasks(orientation, in: weights.attention)
    }

    func packingTasksFromAttention(_ orientation: Orientation, _ weights: PackedWeights) -> [PhaseTask] {
        attention.projection.packingTasks(orientation, in: weights.projection)
            + mlp.fullyConnected.packingTasks(orientation, in: weights.fullyConnected)
            + mlp.projection.packingTasks(orientation, in: weights.mlpProjection)
    }

    // MARK: Forward, for a tile of rows; the scratch is the tile's

    /// ln_1 and the projection to q, k and v.
    func forwardToAttention(_ rows: Range<Int>, _ state: BlockState, _ scratch: ForwardScratch, length: Int) {
        var input = state.input.rows(rows)
        if isPre {
            ln1.forward(input, into: scratch.normalized, state.ln1.from(row: rows.lowerBound))
            input = scratch.normalized
        }
        let qkv = state.qkv.rows(rows)
        attention.attention.forward(input, packed: state.weights.attention, into: qkv)
        rotary?.turn(qkv, firstRow: rows.lowerBound, length: length)
    }

    /// From the heads' outputs to the block's output, (rows, C).
    func forwardFromAttention(
        _ rows: Range<Int>,
        _ state: BlockState,
        _ scratch: ForwardScratch,
        _ dropout: Dropout?,
        length: Int,
        into output: MatrixView
    ) {
        let normalized = scratch.normalized
        let middle = state.middle.rows(rows)
        attention.projection.forward(
            state.attended.rows(rows),
            packed: state.weights.projection,
            into: normalized,
            addingBias: false
        )
        withMask(dropout?.at(.attentionOutput(layer: layer), sequence: 0)) { mask in
            add(
                normalized,
                attention.projection.bias,
                to: keepsInput.attention ? state.input.rows(rows) : nil,
                into: middle,
                mask,
                firstRow: rows.lowerBound,
                length: length
            )
        }
        let norm = middleNorm(state)
        norm.layer.forward(middle, into: normalized, norm.statistics.from(row: rows.lowerBound))
        let outgoing = isPre ? output.rows(rows) : state.outgoing.rows(rows)
        mlp.forward(
            normalized,
            state.weights,
            hidden: state.hidden.rows(rows),
            activated: scratch.activated,
            into: scratch.output
        )
        withMask(dropout?.at(.mlpOutput(layer: layer), sequence: 0)) { mask in
            add(
                scratch.output,
                mlp.projection.bias,
                to: !keepsInput.mlp ? nil : isPre ? middle : normalized,
                into: outgoing,
                mask,
                firstRow: rows.lowerBound,
                length: length
            )
        }
        if !isPre { ln2.forward(outgoing, into: output.rows(rows), state.ln2.from(row: rows.lowerBound)) }
    }

    /// y = x + dropout(output + bias), all (rows, C); without x where there is no residual connection.
    private func add(
        _ output: MatrixView,
        _ bias: UnsafeMutablePointer<Float>?,
        to x: MatrixView?,
        into y: MatrixView,
        _ mask: UnsafePointer<dt_dropout>?,
        firstRow: Int,
        length: Int
    ) {
        let (rows, width) = (y.rows, y.columns)
        guard let x else {
            y.base.update(from: output.base, count: rows * width)
            if let bias { Kernels.table.add_bias(y.base, bias, rows, width) }
            if let mask { Kernels.table.dropout_rows(y.base, y.base, rows, width, mask, firstRow, length) }
            return
        }
        Kernels.table.residual_forward(y.base, x.base, output.base, bias, rows, width, mask, firstRow, length)
    }

    // MARK: Backward, for a tile of rows

    /// From the gradient of the block's output, `scratch.dOutput`, to that of the heads' outputs, `scratch.dAttended`.
    func backwardToAttention(
        _ rows: Range<Int>,
        _ state: BlockState,
        _ scratch: BackwardScratch,
        _ dropout: Dropout?,
        length: Int
    ) {
        func masked(_ gradient: MatrixView, into target: MatrixView, _ site: Dropout.Site) -> MatrixView {
            guard let dropout else { return gradient }
            let mask = dropout.at(site, sequence: 0)
            applyMask(mask, to: gradient, into: target, firstRow: rows.lowerBound, length: length)
            return target
        }
        let dOutgoing = scratch.dOutgoing.rows(rows)
        if !isPre {
            let outgoing = state.outgoing.rows(rows)
            let statistics = state.ln2.from(row: rows.lowerBound)
            ln2.backwardInput(scratch.dOutput.rows(rows), x: outgoing, statistics, skip: nil, into: dOutgoing)
        }
        let dMLP = masked(dOutgoing, into: scratch.dMaskedMLP.rows(rows), .mlpOutput(layer: layer))
        let dNormalized = scratch.dNormalized2.rows(rows)
        mlp.backward(
            dMLP,
            state.transposedWeights,
            hidden: state.hidden.rows(rows),
            activated: scratch.activated.rows(rows),
            dHidden: scratch.dHidden.rows(rows),
            into: dNormalized
        )
        let middle = state.middle.rows(rows)
        let dMiddle = scratch.dMiddle.rows(rows)
        let norm = middleNorm(state)
        let statistics = norm.statistics.from(row: rows.lowerBound)
        let kept = keepsInput.mlp ? dOutgoing : nil
        if !isPre, let kept { Kernels.table.add(dNormalized.base, kept.base, rows.count * kept.columns) }
        norm.layer.backwardInput(dNormalized, x: middle, statistics, skip: isPre ? kept : nil, into: dMiddle)
        norm.layer.forward(middle, into: scratch.normalized2.rows(rows), statistics)
        let dProjected = masked(dMiddle, into: scratch.dMaskedAttention.rows(rows), .attentionOutput(layer: layer))
        attention.projection.backwardInput(
            dProjected,
            packed: state.transposedWeights.projection,
            into: scratch.dAttended.rows(rows)
        )
    }

    /// From the gradient of q, k and v to that of the block's input, which becomes `scratch.dOutput` of the block below.
    func backwardFromAttention(_ rows: Range<Int>, _ state: BlockState, _ scratch: BackwardScratch, length: Int) {
        let input = state.input.rows(rows)
        let statistics = state.ln1.from(row: rows.lowerBound)
        let (dQKV, dOutput) = (scratch.dQKV(layer).rows(rows), scratch.dOutput.rows(rows))
        let kept = keepsInput.attention ? scratch.dMiddle.rows(rows) : nil
        rotary?.turn(dQKV, firstRow: rows.lowerBound, length: length, backwards: true)
        guard isPre else {
            attention.attention.backwardInput(dQKV, packed: state.transposedWeights.attention, into: dOutput)
            if let kept { Kernels.table.add(dOutput.base, kept.base, rows.count * kept.columns) }
            return
        }
        let dNormalized = scratch.dNormalized1.rows(rows)
        attention.attention.backwardInput(dQKV, packed: state.transposedWeights.attention, into: dNormalized)
        ln1.backwardInput(dNormalized, x: input, statistics, skip: kept, into: dOutput)
        ln1.forward(input, into: scratch.normalized1.rows(rows), statistics)
    }

    // MARK: Gradients of the parameters, summed over the rows of the chunk

    /// Everything above attention; may run once `backwardToAttention` has finished every row.
    func parameterTasksAboveAttention(
        _ state: BlockState,
        _ scratch: BackwardScratch,
        masked: Bool,
        workers: Int
    ) -> [PhaseTask] {
        let dMLP = masked ? scratch.dMaskedMLP : scratch.dOutgoing
        let norm = middleNorm(state)
        let dProjected = masked ? scratch.dMaskedAttention : scratch.dMiddle
        return mlp.projection.parameterTasks(scratch.activated, dMLP, workers: workers)
            + mlp.fullyConnected.parameterTasks(scratch.normalized2, scratch.dHidden, workers: workers)
            + attention.projection.parameterTasks(state.attended, dProjected, workers: workers)
            + norm.layer.parameterTasks(scratch.dNormalized2, x: state.middle, norm.statistics)
            + (isPre ? [] : ln2.parameterTasks(scratch.dOutput, x: state.outgoing, state.ln2))
    }

    /// The rest; may run once `backwardFromAttention` has finished every row.
    func parameterTasksBelowAttention(_ state: BlockState, _ scratch: BackwardScratch, workers: Int) -> [PhaseTask] {
        let input = isPre ? scratch.normalized1 : state.input
        return attention.attention.parameterTasks(input, scratch.dQKV(layer), workers: workers)
            + (isPre ? ln1.parameterTasks(scratch.dNormalized1, x: state.input, state.ln1) : [])
    }
}
