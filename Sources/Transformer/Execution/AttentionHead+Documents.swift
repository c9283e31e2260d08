import CVectorKernels
import Compute

/// The inputs of one head over one sequence, besides q, k and v.
struct HeadPass {
    /// The ranges of rows within which tokens attend to each other, in order and without gaps; nil for one range of all
    /// rows.
    var documents: [Range<Int>]?
    /// This pass computes part `part` of `parts` of the query blocks.
    var part = 0
    var parts = 1
    /// (T), the log of each row's sum of exponentials.
    var logSumExp: UnsafeMutablePointer<Float>
    /// The dropout of the attention weights; nil for none.
    var dropout: dt_dropout?
    let scratch: AttentionScratch

    /// Returns the same inputs for the rows from `first` on.
    func rows(from first: Int) -> HeadPass {
        var pass = self
        pass.logSumExp += first
        return pass
    }
}

extension HeadPass {
    /// Creates the inputs of one query head of a layer.
    init(_ task: HeadTask, head index: Int, of attention: Attention, _ pass: Pass) {
        self.init(
            documents: pass.documents?[task.sequence],
            part: task.part,
            parts: task.parts,
            logSumExp: pass.sequence(task.sequence)[attention.logSumExp].base + index * pass.length,
            dropout: pass.mask(.attentionWeights(layer: attention.layer), sequence: task.sequence),
            scratch: pass.attentionScratch(attention, worker: task.worker)
        )
    }
}

// Attention can be limited to each of the documents in a sequence. Documents are contiguous rows, so each is computed
// separately; the masked scores are never computed.
extension AttentionHead {
    /// Computes y (T, D) of one query head.
    func forward(_ head: HeadView, into y: MatrixView, _ pass: HeadPass) {
        // Distribute the query blocks of all documents to the parts in turn.
        var firstPart = pass.part
        for document in pass.documents ?? [0..<head.length] {
            let blocks = tiles(of: document.count, size: mask.queryBlockSize(document.count))
            let own = stride(from: firstPart, to: blocks.count, by: pass.parts).map { blocks[$0] }
            if !own.isEmpty {
                forward(head.rows(document), own, into: y.rows(document), pass.rows(from: document.lowerBound))
            }
            firstPart = ((firstPart - blocks.count) % pass.parts + pass.parts) % pass.parts
        }
    }

    /// Computes the gradients of one query head's q, and of its group's k and v, from dy (T, D).
    ///
    /// - Parameter adds: whether to add to dk and dv instead of overwriting them.
    func backward(
        _ head: HeadView,
        y: MatrixView,
        dy: MatrixView,
        into d: HeadView,
        adds: Bool = false,
        _ pass: HeadPass
    ) {
        for document in pass.documents ?? [0..<head.length] {
            let (y, dy, pass) = (y.rows(document), dy.rows(document), pass.rows(from: document.lowerBound))
            backward(head.rows(document), y, dy, into: d.rows(document), adds: adds, pass)
        }
    }
}
