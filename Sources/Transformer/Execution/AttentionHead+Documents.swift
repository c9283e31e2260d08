import CVectorKernels
import Compute

/// What one head over one sequence computes with, besides q, k and v.
struct HeadPass {
    /// The rows that see each other, in order and without holes; nil for all of them.
    var documents: [Range<Int>]?
    /// The share of the blocks of queries that is computed, and of how many.
    var part = 0
    var parts = 1
    /// (T): the log of each row's sum of exponentials.
    var logSumExp: UnsafeMutablePointer<Float>
    /// nil where no weights are dropped.
    var dropout: dt_dropout?
    let scratch: AttentionScratch

    /// The same for rows that stand by themselves.
    func rows(from first: Int) -> HeadPass {
        var pass = self
        pass.logSumExp += first
        return pass
    }
}

extension HeadPass {
    /// For one query head of a layer.
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

// A sequence of several documents may keep attention within each of them. As documents are runs of rows, this is the same
// computation for each by itself: the masked scores are never made.
extension AttentionHead {
    /// y (T, D) of one query head.
    func forward(_ head: HeadView, into y: MatrixView, _ pass: HeadPass) {
        // Blocks of queries are dealt to the parts over all documents.
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

    /// From dy (T, D) of one query head to the gradients of its q, and of k and v of its group.
    ///
    /// - Parameter adds: whether dk and dv are added to, or overwritten.
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
