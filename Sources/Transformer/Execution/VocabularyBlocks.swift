import Compute
import Platform

/// Computes the output head's loss and gradients for a large vocabulary. Logits exist for one block of rows at a time,
/// and workers share the vocabulary. `Head` has the formulas.
struct VocabularyBlocks {
    private let weight: Parameter  // (V, C)
    private let logits: Slot  // (block, V)
    private let maxima, sums: Slot  // (tiles, block)
    private let logSumExp: Slot  // (block)
    private let gradients: Slot  // one per worker: (block, tile)
    private let partials: Slot  // one per group of tiles: (block, C)
    /// The maximum number of rows in a block.
    private let maximumRows: Int

    /// The maximum number of logits at a time, 64 MiB.
    private static let blockElements = 1 << 24
    /// The number of vocabulary entries in a tile. The gradient of a block's logits in a tile fits the L2 cache.
    private static let tile = 512
    /// Not a power of two, so that the elements of a column do not compete for one cache set.
    private static let tileStride = tile + 16
    /// The maximum number of groups of tiles; each group sums its part of the gradient of x. The number does not depend
    /// on the workers, because it determines the order of a sum. It is enough for 32 workers.
    private static let maximumGroups = 32

    init(_ weight: Parameter, _ declare: inout Declarations) {
        self.weight = weight
        let (V, C) = (weight.rows, weight.columns)
        let tileCount = (V + Self.tile - 1) / Self.tile
        let groups = min(Self.maximumGroups, tileCount)
        let maximumRows = max(16, Self.blockElements / V / 16 * 16)
        self.maximumRows = maximumRows
        func blockSlot(_ name: String, _ floatsForRow: @escaping (Arena.Shape) -> Int) -> Slot {
            declare.head(name) { min($0.rows, maximumRows) * floatsForRow($0) }
        }
        logits = blockSlot("block.logits") { _ in V }
        maxima = blockSlot("block.maxima") { _ in tileCount }
        sums = blockSlot("block.sums") { _ in tileCount }
        logSumExp = blockSlot("block.logSumExp") { _ in 1 }
        gradients = blockSlot("block.gradients") { $0.keepsForBackward ? $0.workers * Self.tileStride : 0 }
        partials = blockSlot("block.partials") { $0.keepsForBackward ? groups * C : 0 }
    }

    private var vocabularyTiles: [Range<Int>] { tiles(of: weight.rows, size: Self.tile) }

    /// Returns the sum of the losses of all rows. If `dx` is given, writes the gradient of x to it and adds the
    /// gradient of the weight.
    func loss(_ pass: Pass, _ x: MatrixView, gradientScale: Float, dx: MatrixView?) -> Double {
        evenTiles(of: x.rows, atMost: maximumRows).reduce(0) { sum, rows in
            let block = Block(pass, x.rows(rows), targets: pass.targets + rows.lowerBound)
            let loss = forward(block)
            if let dx { backward(block, gradientScale, dx.rows(rows)) }
            return sum + loss
        }
    }

    /// A block of rows and their targets.
    private struct Block {
        let pass: Pass
        let x: MatrixView
        let targets: UnsafePointer<Int32>
        var rows: Int { x.rows }

        init(_ pass: Pass, _ x: MatrixView, targets: UnsafePointer<Int32>) {
            (self.pass, self.x, self.targets) = (pass, x, targets)
        }
    }

    private func logits(_ block: Block) -> MatrixView {
        MatrixView(block.pass.arena.base(logits), rows: block.rows, columns: weight.rows)
    }

    /// Computes the logits of the block and returns its loss.
    private func forward(_ block: Block) -> Double {
        let (pass, logits, W) = (block.pass, logits(block), block.pass.matrix(weight))
        let (maxima, sums) = (pass.arena.base(maxima), pass.arena.base(sums))
        let vocabulary = vocabularyTiles
        pass.context.pool.run(vocabulary.count) { task, _ in
            let part = logits.columns(vocabulary[task])
            let weight = W.rows(vocabulary[task])
            pass.products.multiply(block.x, .plain, weight, .transposed, into: part, part: .headProducts)
            let first = task * block.rows
            pass.kernels.table
                .softmax_statistics(maxima + first, sums + first, part.base, part.rows, part.columns, part.stride)
        }
        return combineStatistics(block, logits, tileCount: vocabulary.count)
    }

    /// Computes the lse of each row from the statistics of its tiles, and returns the sum of the losses.
    private func combineStatistics(_ block: Block, _ logits: MatrixView, tileCount: Int) -> Double {
        let (maxima, sums) = (block.pass.arena.base(maxima), block.pass.arena.base(sums))
        let logSumExp = block.pass.arena.base(logSumExp)
        var loss = 0.0
        for row in 0..<block.rows {
            var largest = maxima[row]
            for tile in 1..<max(1, tileCount) { largest = max(largest, maxima[tile * block.rows + row]) }
            var total: Float = 0
            for tile in 0..<tileCount {
                let index = tile * block.rows + row
                total += sums[index] * expf(maxima[index] - largest)
            }
            logSumExp[row] = largest + logf(total)
            loss += Double(logSumExp[row]) - Double(logits[row, Int(block.targets[row])])
        }
        return loss
    }

    /// Computes dW += dlogitsᵀ x and dx = dlogits W, one tile of the vocabulary at a time, from the block's logits and
    /// their lse.
    private func backward(_ block: Block, _ scale: Float, _ dx: MatrixView) {
        let (pass, logits) = (block.pass, logits(block))
        let (W, dW) = (pass.matrix(weight), pass.gradientMatrix(weight))
        let logSumExp = pass.arena.base(logSumExp)
        let vocabulary = vocabularyTiles
        let groups = min(Self.maximumGroups, vocabulary.count)
        pass.context.pool.run(groups) { group, worker in
            let partial = partial(block, group)
            for (index, tile) in stride(from: group, to: vocabulary.count, by: groups).enumerated() {
                let ids = vocabulary[tile]
                let dlogits = dlogits(block, worker).columns(0..<ids.count)
                pass.kernels.table.cross_entropy_backward(
                    dlogits.base,
                    dlogits.stride,
                    logits.base + ids.lowerBound,
                    logSumExp,
                    block.targets,
                    scale,
                    dlogits.rows,
                    dlogits.columns,
                    logits.stride,
                    ids.lowerBound
                )
                let dTile = dW.rows(ids)
                pass.products.multiply(dlogits, .transposed, block.x, .plain, into: dTile, keep: 1, part: .headProducts)
                let keep: Float = index == 0 ? 0 : 1
                pass.products
                    .multiply(dlogits, .plain, W.rows(ids), .plain, into: partial, keep: keep, part: .headProducts)
            }
        }
        addPartials(block, groups, into: dx)
    }

    /// dx = the sum of the groups' partial gradients, in order.
    private func addPartials(_ block: Block, _ groups: Int, into dx: MatrixView) {
        let rowTiles = tiles(of: block.rows, size: 16)
        block.pass.context.pool.run(rowTiles.count) { task, _ in
            let sum = dx.rows(rowTiles[task])
            sum.base.update(from: partial(block, 0).rows(rowTiles[task]).base, count: sum.rows * sum.columns)
            for group in 1..<max(1, groups) {
                let part = partial(block, group).rows(rowTiles[task]).base
                block.pass.kernels.table
                    .residual_forward(sum.base, sum.base, part, nil, sum.rows, sum.columns, nil, 0, 1)
            }
        }
    }

    private func dlogits(_ block: Block, _ worker: Int) -> MatrixView {
        MatrixView(
            block.pass.arena.base(gradients) + worker * block.rows * Self.tileStride,
            rows: block.rows,
            columns: Self.tile,
            stride: Self.tileStride
        )
    }

    private func partial(_ block: Block, _ group: Int) -> MatrixView {
        let base = block.pass.arena.base(partials) + group * block.rows * weight.columns
        return MatrixView(base, rows: block.rows, columns: weight.columns)
    }
}
