import Compute
import Platform

// Replacements for parts of the model that an experiment removes or changes, and ALiBi's mask.

extension GPTConfiguration {
    /// The attention mask of a layer.
    func attentionMask(layer: Int) -> any AttentionMask {
        guard ablations.changesAttention(layer: layer) || attention.positions == .alibi else { return CausalMask() }
        return AblatedMask(self, layer: layer)
    }

    /// The residual connections of a block.
    var residuals: (attention: any Residual, feedForward: any Residual) {
        func residual(_ isKept: Bool) -> any Residual { isKept ? ResidualConnection() : RemovedResidual() }
        let form = ablations.residual
        return (residual(form == .both || form == .attention), residual(form == .both || form == .mlp))
    }

    /// The same model without removed heads.
    var withAllHeads: GPTConfiguration {
        var configuration = self
        configuration.ablations.removedHeads = []
        return configuration
    }
}

extension Ablations {
    fileprivate func changesAttention(layer: Int) -> Bool {
        var others = Ablations()
        others.residual = residual
        others.removedHeads = removedHeads.filter { $0.layer != layer }
        return self != others
    }
}

/// A sublayer without a residual connection: y = dropout(change + bias).
struct RemovedResidual: Residual {
    func add(_ change: MatrixView, bias: Parameter?, to x: MatrixView, into y: MatrixView, _ mask: Mask?, _ rows: Rows)
    {
        y.base.update(from: change.base, count: y.rows * y.columns)
        if let bias { rows.kernels.table.add_bias(y.base, rows.values(bias), y.rows, y.columns) }
        if let mask { rows.kernels.drop(mask, y, into: y) }
    }

    func skip(_ dy: MatrixView) -> MatrixView? { nil }
}

/// The attention mask of an experiment, or of ALiBi. It overwrites masked scores with -∞ and lets the kernels compute
/// one row at a time.
struct AblatedMask: AttentionMask {
    private let ablations: Ablations
    /// For each head, the amount by which a score decreases per position of distance; empty for none.
    private let slopes: [Float]
    private let removed: Set<Int>

    init(_ configuration: GPTConfiguration, layer: Int) {
        ablations = configuration.ablations
        removed = Set(ablations.removedHeads.filter { $0.layer == layer }.map(\.head))
        let heads = configuration.attention.headCount
        // ALiBi's slopes are a geometric sequence from 2^(-8/H) down to 2^-8.
        slopes =
            configuration.attention.positions == .alibi
            ? (1...heads).map { Float(exp(-8 * Double($0) / Double(heads) * 0.693147180559945)) } : []
    }

    /// Whether every query attends to the keys up to its own position, with unchanged scores.
    private var isCausalOnly: Bool { ablations.causalMask && ablations.attentionWindow == 0 && slopes.isEmpty }

    func queryBlockSize(_ length: Int) -> Int {
        ablations.attention == .plain ? length : CausalMask().queryBlockSize(length)
    }

    func visibleKeyCount(_ rows: Range<Int>, of length: Int) -> Int { ablations.causalMask ? rows.upperBound : length }

    func scale(headSize: Int) -> Float {
        1 / (Float(headSize).squareRoot() * Float(ablations.attentionTemperature))
    }

    func visibleRows(
        _ queries: Int,
        _ keys: Int,
        _ place: ScorePlace,
        changing scores: MatrixView?
    ) -> [VisibleRows] {
        if removed.contains(place.head) { return [VisibleRows(rows: 0..<queries, visible: 0)] }
        if isCausalOnly { return [VisibleRows(rows: 0..<queries, visible: place.query + 1)] }
        return (0..<queries).map { row in
            let query = place.query + row
            let visible = ablations.causalMask ? query + 1 : keys
            if let scores { maskScores(scores.row(row), query: query, keys: visible, head: place.head) }
            return VisibleRows(rows: row..<row + 1, visible: visible)
        }
    }

    private func maskScores(_ scores: UnsafeMutablePointer<Float>, query: Int, keys: Int, head: Int) {
        let slope = slopes.isEmpty ? 0 : slopes[head]
        for key in 0..<keys {
            if ablations.canAttend(query, key) {
                scores[key] -= slope * Float(abs(query - key))
            } else {
                scores[key] = -.infinity
            }
        }
    }
}
