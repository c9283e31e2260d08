import CVectorKernels
import Compute
import Platform

/// The head and the loss: `logits = x wteᵀ` (wte is the token embedding, or `lm_head` where the head is not tied), loss =
/// cross-entropy in nats.
///
/// With p = softmax(logits):
///
/// ```
/// loss = lse(logits) - logits[target]      dlogits = (p - one_hot(target)) * scale
/// dx = dlogits wte                         dwte += dlogitsᵀ x
/// ```
/// Logits of a small vocabulary fit memory for a whole chunk: each row goes all the way by itself. A vocabulary of 50,304
/// makes them the largest tensor of all, so there they exist for a block of rows at a time, and workers share the vocabulary.
struct OutputHead {
    let weight: MatrixView  // (V, C)
    let gradient: MatrixView?

    /// The largest vocabulary whose logits are made whole: 16 MiB for a chunk of 1024 rows. It follows from the model alone, and
    /// so does the order of every sum.
    private static let smallVocabulary = 4096
    /// Of a larger one, at most 64 MiB of logits at a time.
    private static let blockElements = 1 << 24

    var vocabularySize: Int { weight.rows }
    private var width: Int { weight.columns }

    /// Floats of scratch for a chunk of up to `rows`.
    static func scratchCount(rows: Int, vocabularySize: Int, width: Int, workers: Int) -> Int {
        vocabularySize <= smallVocabulary
            ? RowScratch.count(rows: rows, vocabularySize: vocabularySize, width: width)
            : BlockScratch.count(rows: rows, vocabularySize: vocabularySize, width: width, workers: workers)
    }

    /// logits (rows, V) = x wteᵀ
    func logits(_ x: MatrixView, into logits: MatrixView) {
        MatrixProduct.multiply(x, .plain, weight, .transposed, into: logits, part: .headProducts)
    }

    /// The tasks that pack the weights for the loss of a chunk of `rows`, to be done before it.
    func packingTasks(rows: Int, scratch: UnsafeMutablePointer<Float>, training: Bool) -> [PhaseTask] {
        guard vocabularySize <= Self.smallVocabulary else { return [] }
        let scratch = RowScratch(scratch, rows: rows, vocabularySize: vocabularySize, width: width)
        var matrices = [PackedMatrix(weight, .transposed, in: scratch.packedTransposed)]
        if training { matrices.append(PackedMatrix(weight, .plain, in: scratch.packed)) }
        return matrices.flatMap { matrix in matrix.pieces.map { piece in { _ in matrix.pack(piece) } } }
    }

    /// The sum over all rows of the loss, after `packingTasks`. x (R, C). With `dx` (R, C), also writes `gradientScale` times its gradient there;
    /// that of the weights is added by the tasks returned, which use the scratch, and x, until they are done.
    func loss(
        _ x: MatrixView,
        targets: UnsafePointer<Int32>,
        gradientScale: Float,
        dx: MatrixView?,
        scratch: UnsafeMutablePointer<Float>,
        pool: WorkerPool
    ) -> (loss: Double, parameterTasks: [PhaseTask]) {
        if vocabularySize <= Self.smallVocabulary {
            let scratch = RowScratch(scratch, rows: x.rows, vocabularySize: vocabularySize, width: width)
            let loss = lossByRows(x, targets, gradientScale, dx, scratch, pool)
            return (loss, dx == nil ? [] : parameterTasks(scratch.logits, x))
        }
        let most = BlockScratch.mostRows(vocabularySize: vocabularySize)
        var sum = 0.0
        for rows in evenTiles(of: x.rows, atMost: most) {
            let block = BlockScratch(
                scratch,
                rows: rows.count,
                vocabularySize: vocabularySize,
                width: width,
                workers: pool.threadCount
            )
            sum += lossOfBlock(
                x.rows(rows),
                targets + rows.lowerBound,
                gradientScale,
                dx?.rows(rows),
                block,
                pool
            )
        }
        return (sum, [])
    }

    // MARK: A vocabulary whose logits fit

    /// Scratch for all logits of a chunk.
    private struct RowScratch {
        let logits: MatrixView  // (R, V); after the loss, their gradient
        let losses: UnsafeMutablePointer<Float>  // (R)
        let packedTransposed: UnsafeMutablePointer<Float>
        let packed: UnsafeMutablePointer<Float>

        init(_ memory: UnsafeMutablePointer<Float>, rows: Int, vocabularySize: Int, width: Int) {
            packedTransposed = memory
            packed = packedTransposed + PackedMatrix.count(depth: width, columns: vocabularySize)
            let base = packed + PackedMatrix.count(depth: vocabularySize, columns: width)
            logits = MatrixView(base, rows: rows, columns: vocabularySize)
            losses = base + rows * vocabularySize
        }

        static func count(rows: Int, vocabularySize: Int, width: Int) -> Int {
            PackedMatrix.count(depth: width, columns: vocabularySize)
                + PackedMatrix.count(depth: vocabularySize, columns: width) + rows * (vocabularySize + 1)
        }
    }

    private func lossByRows(
        _ x: MatrixView,
        _ targets: UnsafePointer<Int32>,
        _ gradientScale: Float,
        _ dx: MatrixView?,
        _ scratch: RowScratch,
        _ pool: WorkerPool
    ) -> Double {
        let transposed = PackedMatrix(weight, .transposed, in: scratch.packedTransposed)
        let plain = PackedMatrix(weight, .plain, in: scratch.packed)
        let rowTiles = rowTiles(of: x.rows, workers: pool.threadCount)
        pool.run(rowTiles.count) { task, _ in
            let rows = rowTiles[task]
            let logits = scratch.logits.rows(rows)
            MatrixProduct.multiply(x.rows(rows), transposed, into: logits, part: .headProducts)
            Kernels.table.cross_entropy(
                scratch.losses + rows.lowerBound,
                logits.base,
                targets + rows.lowerBound,
                dx == nil ? 0 : gradientScale,
                logits.rows,
                logits.columns
            )
            if let dx {
                MatrixProduct.multiply(logits, plain, into: dx.rows(rows), part: .headProducts)
            }
        }
        return (0..<x.rows).reduce(0) { $0 + Double(scratch.losses[$1]) }
    }

    /// dwte += dlogitsᵀ x, in tiles of the vocabulary and of columns.
    private func parameterTasks(_ dlogits: MatrixView, _ x: MatrixView) -> [PhaseTask] {
        guard let gradient else { preconditionFailure("a model without gradients has no backward pass") }
        return evenTiles(of: vocabularySize, atMost: 384).flatMap { ids in
            tiles(of: width, size: 256).map { columns in
                { _ in
                    MatrixProduct.multiply(
                        dlogits.columns(ids),
                        .transposed,
                        x.columns(columns),
                        .plain,
                        into: gradient.rows(ids).columns(columns),
                        keep: 1,
                        part: .headProducts
                    )
                }
            }
        }
    }

    // MARK: A vocabulary whose logits are made block by block

    /// Scratch for a block of rows.
    private struct BlockScratch {
        let logits: MatrixView  // (block, V)
        let maxima, sums: UnsafeMutablePointer<Float>  // (tiles, block)
        let lse: UnsafeMutablePointer<Float>  // (block)
        let tiles: [MatrixView]  // one a worker: (block, tile)
        let partial: [MatrixView]  // one a group of tiles: (block, C)

        /// Entries of the vocabulary a tile: the gradient of so many logits of a block stays in the second-level cache.
        static let tile = 512
        /// Groups of tiles that add up gradients of x by themselves. Fixed, as they decide the order of a sum; enough for
        /// 32 workers.
        private static let groups = 32

        static func mostRows(vocabularySize: Int) -> Int { max(16, blockElements / vocabularySize / 16 * 16) }

        static func tileCount(_ vocabularySize: Int) -> Int { (vocabularySize + tile - 1) / tile }

        static func groupCount(_ vocabularySize: Int) -> Int { min(groups, tileCount(vocabularySize)) }

        /// Not a power of two, so that a column's elements do not share a cache set.
        private static let tileStride = tile + 16

        init(_ memory: UnsafeMutablePointer<Float>, rows: Int, vocabularySize: Int, width: Int, workers: Int) {
            logits = MatrixView(memory, rows: rows, columns: vocabularySize)
            let tileCount = Self.tileCount(vocabularySize)
            maxima = memory + rows * vocabularySize
            sums = maxima + tileCount * rows
            lse = sums + tileCount * rows
            let tileMemory = lse + rows
            tiles = (0..<workers).map {
                MatrixView(
                    tileMemory + $0 * rows * Self.tileStride,
                    rows: rows,
                    columns: Self.tile,
                    stride: Self.tileStride
                )
            }
            let partialMemory = tileMemory + workers * rows * Self.tileStride
            partial = (0..<Self.groupCount(vocabularySize)).map {
                MatrixView(partialMemory + $0 * rows * width, rows: rows, columns: width)
            }
        }

        static func count(rows: Int, vocabularySize: Int, width: Int, workers: Int) -> Int {
            let block = min(rows, mostRows(vocabularySize: vocabularySize))
            return block
                * (vocabularySize + 2 * tileCount(vocabularySize) + 1 + workers * tileStride
                    + groupCount(vocabularySize) * width)
        }
    }

    private func lossOfBlock(
        _ x: MatrixView,
        _ targets: UnsafePointer<Int32>,
        _ gradientScale: Float,
        _ dx: MatrixView?,
        _ scratch: BlockScratch,
        _ pool: WorkerPool
    ) -> Double {
        let vocabularyTiles = tiles(of: vocabularySize, size: BlockScratch.tile)
        pool.run(vocabularyTiles.count) { task, _ in
            let ids = vocabularyTiles[task]
            let part = scratch.logits.columns(ids)
            MatrixProduct.multiply(x, .plain, weight.rows(ids), .transposed, into: part, part: .headProducts)
            let offset = task * x.rows
            Kernels.table.softmax_statistics(
                scratch.maxima + offset,
                scratch.sums + offset,
                part.base,
                part.rows,
                part.columns,
                part.stride
            )
        }
        let loss = combineStatistics(scratch, targets, tileCount: vocabularyTiles.count)
        if let dx { backwardOfBlock(x, targets, gradientScale, dx, scratch, pool, vocabularyTiles) }
        return loss
    }

    /// dwte += dlogitsᵀ x and dx = dlogits wte, tile by tile of the vocabulary, from the block's logits and their lse.
    private func backwardOfBlock(
        _ x: MatrixView,
        _ targets: UnsafePointer<Int32>,
        _ gradientScale: Float,
        _ dx: MatrixView,
        _ scratch: BlockScratch,
        _ pool: WorkerPool,
        _ vocabularyTiles: [Range<Int>]
    ) {
        guard let gradient else { preconditionFailure("a model without gradients has no backward pass") }
        let groups = scratch.partial.count
        pool.run(groups) { group, worker in
            for (index, tile) in stride(from: group, to: vocabularyTiles.count, by: groups).enumerated() {
                let ids = vocabularyTiles[tile]
                let dlogits = scratch.tiles[worker].columns(0..<ids.count)
                Kernels.table.cross_entropy_backward(
                    dlogits.base,
                    dlogits.stride,
                    scratch.logits.base + ids.lowerBound,
                    scratch.lse,
                    targets,
                    gradientScale,
                    dlogits.rows,
                    dlogits.columns,
                    scratch.logits.stride,
                    ids.lowerBound
                )
                MatrixProduct.multiply(
                    dlogits,
                    .transposed,
                    x,
                    .plain,
                    into: gradient.rows(ids),
                    keep: 1,
                    part: .headProducts
                )
                MatrixProduct.multiply(
                    dlogits,
                    .plain,
                    weight.rows(ids),
                    .plain,
                    into: scratch.partial[group],
                    keep: index == 0 ? 0 : 1,
                    part: .headProducts
                )
            }
        }
        let rowTiles = tiles(of: x.rows, size: 16)
        pool.run(rowTiles.count) { task, _ in
            let rows = rowTiles[task]
            let sum = dx.rows(rows)
            sum.base.update(from: scratch.partial[0].rows(rows).base, count: sum.rows * width)
            for part in scratch.partial.dropFirst() {
                Kernels.table.residual_forward(
                    sum.base,
                    sum.base,
                    part.rows(rows).base,
                    nil,
                    sum.rows,
                    width,
                    nil,
                    0,
                    1
                )
            }
        }
    }

    /// lse of each row from the statistics of its tiles, and the sum of losses.
    private func combineStatistics(_ scratch: BlockScratch, _ targets: UnsafePointer<Int32>, tileCount: Int) -> Double {
        let rows = scratch.logits.rows
        var loss = 0.0
        for row in 0..<rows {
            var largest = scratch.maxima[row]
            for tile in 1..<max(1, tileCount) { largest = max(largest, scratch.maxima[tile * rows + row]) }
            var total: Float = 0
            for tile in 0..<tileCount {
                let index = tile * rows + row
                total += scratch.sums[index] * expf(scratch.maxima[index] - largest)
            }
            scratch.lse[row] = largest + logf(total)
            loss += Double(scratch.lse[row]) - Double(scratch.logits[row, Int(targets[row])])
        }
        return loss
    }
}
