import Compute

/// One block: `x += attention(ln_1(x)); x += mlp(ln_2(x))`, pre-LayerNorm as in GPT-2.
///
/// Everything but attention itself works on each token alone, so a pass is cut into phases: one over tiles of rows, one
/// over heads. The row phase of a block's end and that of the next block's beginning are one.
struct TransformerBlock {
    let layer: Int
    let ln1: LayerNorm
    let attention: CausalSelfAttention
    let ln2: LayerNorm
    let mlp: MLP

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
    func forwardToAttention(_ rows: Range<Int>, _ state: BlockState, _ scratch: ForwardScratch) {
        let normalized = scratch.normalized
        ln1.forward(state.input.rows(rows), into: normalized, state.ln1.from(row: rows.lowerBound))
        attention.attention.forward(normalized, packed: state.weights.attention, into: state.qkv.rows(rows))
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
            Kernels.table.residual_forward(
                middle.base,
                state.input.rows(rows).base,
                normalized.base,
                attention.projection.bias,
                rows.count,
                middle.columns,
                mask,
                rows.lowerBound,
                length
            )
        }
        ln2.forward(middle, into: normalized, state.ln2.from(row: rows.lowerBound))
        let out = output.rows(rows)
        mlp.forward(
            normalized,
            state.weights,
            hidden: state.hidden.rows(rows),
            activated: scratch.activated,
            into: scratch.output
        )
        withMask(dropout?.at(.mlpOutput(layer: layer), sequence: 0)) { mask in
            Kernels.table.residual_forward(
                out.base,
                middle.base,
                scratch.output.base,
                mlp.projection.bias,
                rows.count,
                out.columns,
                mask,
                rows.lowerBound,
                length
            )
        }
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
            withMask(dropout.at(site, sequence: 0)) { mask in
                Kernels.table.dropout_rows(
                    target.base,
                    gradient.base,
                    gradient.rows,
                    gradient.columns,
                    mask,
                    rows.lowerBound,
                    length
                )
            }
            return target
        }
        let dOutput = scratch.dOutput.rows(rows)
        let dMLP = masked(dOutput, into: scratch.dMaskedMLP.rows(rows), .mlpOutput(layer: layer))
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
        let statistics = state.ln2.from(row: rows.lowerBound)
        ln2.backwardInput(dNormalized, x: middle, statistics, skip: dOutput, into: dMiddle)
        ln2.forward(middle, into: scratch.normalized2.rows(rows), statistics)
        let dProjected = masked(dMiddle, into: scratch.dMaskedAttention.rows(rows), .attentionOutput(layer: layer))
        attention.projection.backwardInput(
            dProjected,
            packed: state.transposedWeights.projection,
            into: scratch.dAttended.rows(rows)
        )
    }

    /// From the gradient of q, k and v to that of the block's input, which becomes `scratch.dOutput` of the block below.
    func backwardFromAttention(_ rows: Range<Int>, _ state: BlockState, _ scratch: BackwardScratch) {
        let input = state.input.rows(rows)
        let statistics = state.ln1.from(row: rows.lowerBound)
        let dNormalized = scratch.dNormalized1.rows(rows)
        attention.attention.backwardInput(
            scratch.dQKV(layer).rows(rows),
            packed: state.transposedWeights.attention,
            into: dNormalized
        )
        ln1.backwardInput(
            dNormalized,
            x: input,
            statistics,
            skip: scratch.dMiddle.rows(rows),
            into: scratch.dOutput.rows(rows)
        )
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
        let dMLP = masked ? scratch.dMaskedMLP : scratch.dOutput
        let dProjected = masked ? scratch.dMaskedAttention : scratch.dMiddle
        return mlp.projection.parameterTasks(scratch.activated, dMLP, workers: workers)
            + mlp.fullyConnected.parameterTasks(scratch.normalized2, scratch.dHidden, workers: workers)
            + attention.projection.parameterTasks(state.attended, dProjected, workers: workers)
            + ln2.parameterTasks(scratch.dNormalized2, x: state.middle, state.ln2)
    }

    /// The rest; may run once `backwardFromAttention` has finished every row.
    func parameterTasksBelowAttention(_ state: BlockState, _ scratch: BackwardScratch, workers: Int) -> [PhaseTask] {
        attention.attention.parameterTasks(scratch.normalized1, scratch.dQKV(layer), workers: workers)
            + ln1.parameterTasks(scratch.dNormalized1, x: state.input, state.ln1)
    }
}
