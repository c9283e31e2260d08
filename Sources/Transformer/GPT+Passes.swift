import CVectorKernels
import Compute

extension GPT {
    /// Embedding, blocks and final LayerNorm. Phases alternate between tiles of rows and heads of sequences.
    ///
    /// What speaks of packing is about speed alone, and can be passed over at first: weights are laid out anew for the products of
    /// the next phase, beside the work of this one, unless all of them are kept so (`keepsPacked`).
    func forward(_ chunk: Chunk, _ dropout: Dropout?, afterAttention: (Int, Chunk) -> Void = { _, _ in }) {
        let buffers = chunk.buffers
        let rowTiles = rowTiles(of: chunk.rows, workers: pool.threadCount)
        let states = chunk.blocks

        if !buffers.keepsPacked { pool.run(blocks[0].packingTasksToAttention(.plain, states[0].weights)) }
        pool.run(rowTiles.count) { task, worker in
            let rows = rowTiles[task]
            let scratch = buffers.forwardScratch[worker].first(rows.count)
            embedding.forward(
                chunk.tokens,
                firstRow: rows.lowerBound,
                length: chunk.length,
                into: states[0].input.rows(rows),
                mask: dropout?.at(.embedding, sequence: 0)
            )
            blocks[0].forwardToAttention(rows, states[0], scratch, length: chunk.length)
        }
        for (layer, block) in blocks.enumerated() {
            let isLast = layer + 1 == blocks.count
            var tasks = forwardHeadTasks(chunk, layer: layer, dropout)
            if !buffers.keepsPacked {
                tasks += block.packingTasksFromAttention(.plain, states[layer].weights)
                if !isLast { tasks += blocks[layer + 1].packingTasksToAttention(.plain, states[layer + 1].weights) }
            }
            if isLast {
                tasks += head.packingTasks(rows: chunk.rows, scratch: buffers.headScratch, training: chunk.training)
            }
            pool.run(tasks)
            afterAttention(layer, chunk)
            let output = isLast ? buffers.finalInput : states[layer + 1].input
            pool.run(rowTiles.count) { task, worker in
                let rows = rowTiles[task]
                let scratch = buffers.forwardScratch[worker].first(rows.count)
                block.forwardFromAttention(rows, states[layer], scratch, dropout, length: chunk.length, into: output)
                if isLast {
                    finalLayerNorm.forward(
                        buffers.finalInput.rows(rows),
                        into: buffers.finalNormalized.rows(rows),
                        buffers.finalStatistics.from(row: rows.lowerBound)
                    )
                } else {
                    blocks[layer + 1].forwardToAttention(rows, states[layer + 1], scratch, length: chunk.length)
                }
            }
        }
    }

    /// Packs the weights of all layers, where each has memory for that; those of backward only for training.
    func packWeights(_ buffers: ChunkBuffers, training: Bool) {
        guard buffers.keepsPacked else { return }
        var tasks: [PhaseTask] = []
        for (block, state) in zip(blocks, buffers.blocks) {
            tasks += block.packingTasksToAttention(.plain, state.weights)
            tasks += block.packingTasksFromAttention(.plain, state.weights)
            guard training else { continue }
            tasks += block.packingTasksToAttention(.transposed, state.transposedWeights)
            tasks += block.packingTasksFromAttention(.transposed, state.transposedWeights)
        }
        pool.run(tasks)
    }

    /// Loss of the chunk, and its gradient added to `gradients`, from the last layer to the first.
    ///
    /// Gradients of weights are sums over all rows: they wait until a row phase is over and then share a phase with the
    /// next heads, which evens out the load.
    ///
    /// - Parameter finished: called as the flat gradient is complete from an index on, which falls to 0.
    func backward(
        _ chunk: Chunk,
        _ dropout: Dropout?,
        gradientScale: Float,
        finished: ((Int) -> Void)?
    ) -> Double {
        let buffers = chunk.buffers
        let scratch = buffers.backwardScratch!.first(chunk.rows)
        let rowTiles = rowTiles(of: chunk.rows, workers: pool.threadCount)
        let states = chunk.blocks
        let last = blocks.count - 1
        let finalInput = buffers.finalInput.rows(0..<chunk.rows)
        let dNormalized = scratch.dNormalized1

        let (loss, headTasks) = head.loss(
            buffers.finalNormalized.rows(0..<chunk.rows),
            targets: chunk.targets,
            gradientScale: gradientScale,
            dx: dNormalized,
            scratch: buffers.headScratch,
            pool: pool
        )
        if !buffers.keepsPacked {
            pool.run(blocks[last].packingTasksFromAttention(.transposed, states[last].transposedWeights))
        }
        pool.run(rowTiles.count) { task, _ in
            let rows = rowTiles[task]
            finalLayerNorm.backwardInput(
                dNormalized.rows(rows),
                x: finalInput.rows(rows),
                buffers.finalStatistics.from(row: rows.lowerBound),
                skip: nil,
                into: scratch.dOutput.rows(rows)
            )
            blocks[last].backwardToAttention(rows, states[last], scratch, dropout, length: chunk.length)
        }
        var waiting = headTasks + finalLayerNorm.parameterTasks(dNormalized, x: finalInput, buffers.finalStatistics)
        for layer in blocks.indices.reversed() {
            let block = blocks[layer]
            pool.run(waiting + backwardAttentionTasks(chunk, scratch, layer: layer, dropout))
            let isTop = layer + 1 == blocks.count
            finished?((isTop ? layout.finalLayerNorm : layout.blocks[layer + 1].ln1).weight.lowerBound)
            pool.run(rowTiles.count) { task, _ in
                let rows = rowTiles[task]
                block.backwardFromAttention(rows, states[layer], scratch, length: chunk.length)
                if layer > 0 {
                    blocks[layer - 1].backwardToAttention(
                        rows,
                        states[layer - 1],
                        scratch,
                        dropout,
                        length: chunk.length
                    )
                } else if let mask = dropout?.at(.embedding, sequence: 0) {
                    let dx = scratch.dOutput.rows(rows)
                    applyMask(mask, to: dx, into: dx, firstRow: rows.lowerBound, length: chunk.length)
                }
            }
            waiting = block.parameterTasksBelowAttention(states[layer], scratch, workers: pool.threadCount)
        }
        waiting += embedding.parameterTasks(chunk.tokens, scratch.dOutput, length: chunk.length)
        pool.run(waiting)
        finished?(0)
        return loss
    }

    /// The phase of a layer's heads: those themselves, the gradients of the weights above them, and the weights that the next phase
    /// multiplies with, laid out for it.
    private func backwardAttentionTasks(
        _ chunk: Chunk,
        _ scratch: BackwardScratch,
        layer: Int,
        _ dropout: Dropout?
    ) -> [PhaseTask] {
        let states = chunk.blocks
        var tasks = blocks[layer].parameterTasksAboveAttention(
            states[layer],
            scratch,
            masked: dropout != nil,
            workers: pool.threadCount
        )
        for task in 0..<chunk.sequences * configuration.headCount {
            tasks.append { worker in
                self.backwardHead(chunk, scratch, layer: layer, task: task, worker: worker, dropout)
            }
        }
        guard !chunk.buffers.keepsPacked else { return tasks }
        tasks += blocks[layer].packingTasksToAttention(.transposed, states[layer].transposedWeights)
        if layer > 0 {
            let below = states[layer - 1].transposedWeights
            tasks += blocks[layer - 1].packingTasksFromAttention(.transposed, below)
        }
        return tasks
    }

    /// A task a head of a sequence, and more where that would leave workers idle.
    private func forwardHeadTasks(_ chunk: Chunk, layer: Int, _ dropout: Dropout?) -> [PhaseTask] {
        let state = chunk.blocks[layer]
        let heads = chunk.sequences * configuration.headCount
        let parts = MatrixProduct.implementation == .own ? max(1, min(8, 2 * pool.threadCount / heads)) : 1
        return (0..<heads * parts).map { task in
            { [self] worker in
                let place = HeadPlace(task: task / parts, headCount: configuration.headCount, length: chunk.length)
                let head = CausalSelfAttention.Head(
                    state.qkv.rows(place.rows),
                    index: place.head,
                    of: configuration.headCount
                )
                blocks[layer].attention.forward(
                    head,
                    documents: chunk.documents?[place.sequence],
                    part: task % parts,
                    of: parts,
                    into: state.attended.rows(place.rows).columns(place.columns(size: head.size)),
                    logSumExp: state.logSumExp + task / parts * chunk.length,
                    mask: dropout?.at(.attentionWeights(layer: layer), sequence: place.sequence),
                    scratch: chunk.buffers.attentionScratch[worker]
                )
            }
        }
    }

    private func backwardHead(
        _ chunk: Chunk,
        _ scratch: BackwardScratch,
        layer: Int,
        task: Int,
        worker: Int,
        _ dropout: Dropout?
    ) {
        let place = HeadPlace(task: task, headCount: configuration.headCount, length: chunk.length)
        let state = chunk.blocks[layer]
        let headCount = configuration.headCount
        let head = CausalSelfAttention.Head(state.qkv.rows(place.rows), index: place.head, of: headCount)
        let columns = place.columns(size: head.size)
        blocks[layer].attention.backward(
            head,
            documents: chunk.documents?[place.sequence],
            y: state.attended.rows(place.rows).columns(columns),
            dy: scratch.dAttended.rows(place.rows).columns(columns),
            logSumExp: state.logSumExp + task * chunk.length,
            mask: dropout?.at(.attentionWeights(layer: layer), sequence: place.sequence),
            into: CausalSelfAttention.Head(
                scratch.dQKV(layer).rows(place.rows),
                index: place.head,
                of: headCount
            ),
            scratch: chunk.buffers.attentionScratch[worker]
        )
    }

    /// Which head of which sequence a task is.
    private struct HeadPlace {
        let sequence: Int
        let head: Int
        let rows: Range<Int>

        init(task: Int, headCount: Int, length: Int) {
            sequence = task / headCount
            head = task % headCount
            rows = sequence * length..<(sequence + 1) * length
        }

        func columns(size: Int) -> Range<Int> { head * size..<(head + 1) * size }
    }
}
