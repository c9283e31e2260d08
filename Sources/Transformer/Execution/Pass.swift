import CVectorKernels
import Compute

/// One chunk of sequences on its way through the model: its tokens, and all that layers compute with.
///
/// Phases over tiles of rows alternate with phases over heads of sequences. Gradients of weights, and the packing for the next row
/// phase, run in the same phase as the heads.
final class Pass {
    let context: ComputeContext
    let arena: Arena
    let tokens, targets: UnsafePointer<Int32>
    /// Sequences of `length` tokens each.
    let sequences, length: Int
    /// The position of each sequence's first token.
    let firstPosition: Int
    /// nil where nothing is dropped.
    let dropout: Dropout?
    /// Of each sequence, the documents within which attention stays; nil where it sees the whole sequence.
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

    /// Tokens of the chunk.
    var rows: Int { sequences * length }
    var kernels: Kernels { context.kernels }
    var products: MatrixProducts { context.products }

    /// A slot's rows of the whole chunk.
    subscript(slot: Slot) -> MatrixView { arena.matrix(slot, 0..<rows) }

    /// The rows of one sequence.
    func sequence(_ index: Int) -> Rows { Rows(self, index * length..<(index + 1) * length, worker: 0) }

    func matrix(_ parameter: Parameter) -> MatrixView { parameter.matrix(in: parameters) }

    /// The gradient of a vector of parameters.
    func gradient(_ parameter: Parameter) -> UnsafeMutablePointer<Float> { gradientMatrix(parameter).base }

    /// The gradient of a matrix of parameters.
    func gradientMatrix(_ parameter: Parameter) -> MatrixView {
        guard let gradients else { preconditionFailure("a model without gradients has no backward pass") }
        return parameter.matrix(in: gradients)
    }

    /// A weight as products read it.
    func factor(_ weight: Weight, _ orientation: Orientation) -> PackedMatrix {
        PackedMatrix(matrix(weight.parameter), orientation, in: arena.base(weight.slot(orientation)), for: products)
    }

    /// c += aᵀ b
    func addProduct(_ a: MatrixView, _ b: MatrixView, to c: MatrixView, _ part: Part) {
        products.multiply(a, .transposed, b, .plain, into: c, keep: 1, part: part)
    }

    /// The dropout mask of one sequence at a place of the model; nil if nothing is dropped.
    func mask(_ site: Dropout.Site, sequence: Int) -> dt_dropout? { dropout?.at(site, sequence: sequence) }

    func attentionScratch(_ attention: Attention, worker: Int) -> AttentionScratch {
        let shape = AttentionScratch.Shape(attention.head, length: arena.shape.length)
        return AttentionScratch(arena.base(attention.scratch, worker: worker), shape, products)
    }

    // MARK: Phases

    func run(_ tasks: [PhaseTask]) { context.pool.run(tasks) }

    /// A phase over tiles of rows.
    func overRows(_ body: (Rows) -> Void) {
        let tiles = rowTiles(of: rows, context)
        context.pool.run(tiles.count) { task, worker in body(Rows(self, tiles[task], worker: worker)) }
    }

    /// The phase over a layer's heads. A head of a sequence is a task, or several where that would leave workers idle.
    func overHeads(_ attention: Attention, layer: Int) {
        let heads = sequences * attention.shape.headCount
        let parts = products.implementation == .own ? max(1, min(8, 2 * context.pool.threadCount / heads)) : 1
        let tasks = headTasks(attention.shape.headCount, parts: parts) { attention.forward($0, self) }
        run(tasks + packingTasks(schedule.forward(after: layer, forBackward: isTraining)))
    }

    /// The same backward, by key-value heads, beside tasks that are to be done in the same phase.
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

    /// Packs the weights of the first row phase forward, which no heads come before.
    func beginForward() { run(packingTasks(schedule.first)) }

    /// Packs the weights of the first row phase backward.
    func beginBackward() { run(packingTasks(schedule.backward(after: nil))) }

    /// Packs all weights, where they stay packed for the whole micro-batch.
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

/// What one task of a phase over heads computes.
struct HeadTask {
    let sequence: Int
    /// A query head forward, a key-value head backward.
    let head: Int
    /// The share of the queries.
    let part, parts: Int
    let worker: Int
}
