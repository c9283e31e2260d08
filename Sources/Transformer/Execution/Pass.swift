import CVectorKernels
import Compute

/// The pass of one chunk of sequences through the model: its tokens, and everything that layers compute with.
///
/// Phases over tiles of rows alternate with phases over the heads of sequences. Gradients of weights, and packing for
/// the next row phase, run in the same phase as the heads.
final class Pass {
    let context: ComputeContext
    let arena: Arena
    let tokens, targets: UnsafePointer<Int32>
    /// The number of sequences, and the number of tokens in each.
    let sequences, length: Int
    /// The position of each sequence's first token.
    let firstPosition: Int
    /// The dropout; nil for none.
    let dropout: Dropout?
    /// For each sequence, the documents that limit attention; nil for attention over the whole sequence.
    let documents: [[Range<Int>]]?
    private let parameters: UnsafeMutablePointer<Float>
    private let gradients: UnsafeMutablePointer<Float>?
    private let schedule: WeightSchedule
    private let isTraining: Bool

    init(
        _ model: GPT,
        _ arena: Arena,
        tokens: UnsafePointer<Int32>,
        targets: UnsafePointer<Int32>,
        sequences: Int,
        length: Int,
        firstPosition: Int = 0,
        isTraining: Bool = false,
        dropout: Dropout? = nil,
        documents: [[Range<Int>]]? = nil
    ) {
        context = model.context
        parameters = model.parameters.base
        gradients = model.gradients.count > 0 ? model.gradients.base : nil
        schedule = model.schedule
        self.arena = arena
        (self.tokens, self.targets) = (tokens, targets)
        (self.sequences, self.length, self.firstPosition) = (sequences, length, firstPosition)
        (self.isTraining, self.dropout, self.documents) = (isTraining, dropout, documents)
    }

    /// The number of tokens in the chunk.
    var rows: Int { sequences * length }
    var kernels: Kernels { context.kernels }
    var products: MatrixProducts { context.products }

    /// The rows of a slot for the whole chunk.
    subscript(slot: Slot) -> MatrixView { arena.matrix(slot, 0..<rows) }

    /// Returns the rows of one sequence.
    func sequence(_ index: Int) -> Rows { Rows(self, index * length..<(index + 1) * length, worker: 0) }

    func matrix(_ parameter: Parameter) -> MatrixView { parameter.matrix(in: parameters) }

    /// Returns the gradient of a parameter vector.
    func gradient(_ parameter: Parameter) -> UnsafeMutablePointer<Float> { gradientMatrix(parameter).base }

    /// Returns the gradient of a parameter matrix.
    func gradientMatrix(_ parameter: Parameter) -> MatrixView {
        guard let gradients else {
            preconditionFailure("the model was created without gradients, so it has no backward pass")
        }
        return parameter.matrix(in: gradients)
    }

    /// Returns a weight in the form that products read.
    func factor(_ weight: Weight, _ orientation: Orientation) -> PackedMatrix {
        PackedMatrix(matrix(weight.parameter), orientation, in: arena.base(weight.slot(orientation)), for: products)
    }

    /// c += aᵀ b
    func addProduct(_ a: MatrixView, _ b: MatrixView, to c: MatrixView, _ part: Part) {
        products.multiply(a, .transposed, b, .plain, into: c, keep: 1, part: part)
    }

    /// Returns the dropout mask of one sequence at a place in the model; nil for no dropout.
    func mask(_ site: Dropout.Site, sequence: Int) -> dt_dropout? { dropout?.at(site, sequence: sequence) }

    func attentionScratch(_ attention: Attention, worker: Int) -> AttentionScratch {
        let shape = AttentionScratch.Shape(attention.head, length: arena.shape.length)
        return AttentionScratch(arena.base(attention.scratch, worker: worker), shape, products)
    }

    // MARK: Phases

    func run(_ tasks: [PhaseTask]) { context.pool.run(tasks) }

    /// Runs a phase over tiles of rows.
    func overRows(_ body: (Rows) -> Void) {
        let tiles = rowTiles(of: rows, context)
        context.pool.run(tiles.count) { task, worker in body(Rows(self, tiles[task], worker: worker)) }
    }

    /// Runs the phase over a layer's heads. Each head of a sequence is one task, or several if workers would be idle
    /// otherwise.
    func overHeads(_ attention: Attention, layer: Int) {
        let heads = sequences * attention.shape.headCount
        let parts = products.implementation == .own ? max(1, min(8, 2 * context.pool.threadCount / heads)) : 1
        let tasks = headTasks(attention.shape.headCount, parts: parts) { attention.forward($0, self) }
        run(tasks + packingTasks(schedule.forward(after: layer, forBackward: isTraining)))
    }

    /// Runs the backward phase over a layer's key-value heads, together with `tasks`.
    func overHeadsBackward(_ attention: Attention, layer: Int, beside tasks: [PhaseTask]) {
        let heads = headTasks(attention.shape.keyValueHeadCount, parts: 1) { attention.backward($0, self) }
        run(tasks + heads + packingTasks(schedule.backward(after: layer)))
    }

    private func headTasks(_ heads: Int, parts: Int, _ body: @escaping (HeadTask) -> Void) -> [PhaseTask] {
        (0..<sequences * heads * parts).map { task in
            { worker in
                let place = task / parts
                body(
                    HeadTask(
                        sequence: place / heads,
                        head: place % heads,
                        part: task % parts,
                        parts: parts,
                        worker: worker
                    )
                )
            }
        }
    }

    // MARK: Packing

    /// Packs the weights of the forward pass's first row phase, because no phase over heads comes before it.
    func beginForward() { run(packingTasks(schedule.first)) }

    /// Packs the weights of the backward pass's first row phase.
    func beginBackward() { run(packingTasks(schedule.backward(after: nil))) }

    /// Packs all weights, if they stay packed for the whole micro-batch.
    func packAll() {
        guard arena.shape.keepsPacked else { return }
        run(schedule.all(forBackward: isTraining).flatMap(packingTasks))
    }

    private func packingTasks(_ uses: [WeightUse]) -> [PhaseTask] {
        uses.flatMap { arena.shape.keepsPacked && !$0.isHead ? [] : packingTasks($0) }
    }

    private func packingTasks(_ use: WeightUse) -> [PhaseTask] {
        let packed = factor(use.weight, use.orientation)
        return packed.pieces.map { piece in { _ in packed.pack(piece) } }
    }
}

/// The work of one task in a phase over heads.
struct HeadTask {
    let sequence: Int
    /// The index of a query head in the forward pass, or of a key-value head in the backward pass.
    let head: Int
    /// This task computes part `part` of `parts` of the queries.
    let part, parts: Int
    let worker: Int
}
