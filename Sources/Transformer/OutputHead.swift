import Compute

/// The head and the loss: `logits = x wteᵀ` (the head's weights are the token embedding), loss = cross-entropy in nats.
///
/// A vocabulary of 50,304 makes the logits the largest tensor of all, so they never exist whole: rows pass in blocks, and
/// within a block the vocabulary is cut into tiles that workers share. With p = softmax(logits):
///
/// ```
/// loss = lse(logits) - logits[target]      dlogits = (p - one_hot(target)) * scale
/// dx = dlogits wte                         dwte += dlogitsᵀ x
/// ```
struct OutputHead {
    let weight: MatrixView  // (V, C)
    let gradient: MatrixView?

    /// At most 64 MiB of logits at a time.
    static let blockElements = 1 << 24
    private static let vocabularyTile = 4096

    private var vocabularySize: Int { weight.rows }

    /// Rows a block for a chunk of `rows`: as many as fit, evenly, in multiples of 16.
    static func blockRows(rows: Int, vocabularySize: Int) -> Int {
        let most = mostRows(vocabularySize: vocabularySize)
        let blocks = (rows + most - 1) / most
        return ((rows + blocks - 1) / blocks + 15) / 16 * 16
    }

    private static func mostRows(vocabularySize: Int) -> Int {
        max(16, blockElements / vocabularySize / 16 * 16)
    }

    /// Floats of scratch for a chunk of up to `rows`: logits of one block and two statistics for each row and tile.
    static func scratchCount(rows: Int, vocabularySize: Int) -> Int {
        let block = min(rows, mostRows(vocabularySize: vocabularySize))
        let tileCount = (vocabularySize + vocabularyTile - 1) / vocabularyTile
        return block * (vocabularySize + 2 * tileCount + 1)
    }

    /// logits (rows, V) = x wteᵀ
    func logits(_ x: MatrixView, into logits: MatrixView) {
        MatrixProduct.multiply(x, .plain, weight, .transposed, into: logits)
    }

    /// The sum over all rows of the loss. x (R, C). With `dx` (R, C), also writes `gradientScale` times its gradient there
    /// and adds that of the weights.
    func loss(
        _ x: MatrixView,
        targets: UnsafePointer<Int32>,
        gradientScale: Float,
        dx: MatrixView?,
        scratch: UnsafeMutablePointer<Float>,
        pool: WorkerPool
    ) -> Double {
        var sum = 0.0
        for rows in tiles(of: x.rows, size: Self.blockRows(rows: x.rows, vocabularySize: vocabularySize)) {
            sum += lossOfBlock(
                x.rows(rows),
                targets: targets + rows.lowerBound,
                gradientScale: gradientScale,
                dx: dx?.rows(rows),
                scratch: scratch,
                pool: pool
            )
        }
        return sum
    }

    private func lossOfBlock(
        _ x: MatrixView,
        targets: UnsafePointer<Int32>,
        gradientScale: Float,
        dx: MatrixView?,
        scratch: UnsafeMutablePointer<Float>,
        pool: WorkerPool
    ) -> Double {
        let rowTiles = tiles(of: x.rows, size: rowTileSize(rows: x.rows))
        let vocabularyTiles = tiles(of: vocabularySize, size: Self.vocabularyTile)
        let logits = MatrixView(scratch, rows: x.rows, columns: vocabularySize)
        let maxima = scratch + x.rows * vocabularySize  // (tiles, rows)
        let sums = maxima + x.rows * vocabularyTiles.count  // (tiles, rows)
        let lse = sums + x.rows * vocabularyTiles.count  // (rows)

        pool.run(rowTiles.count * vocabularyTiles.count) { task, _ in
            let rows = rowTiles[task % rowTiles.count]
            let tile = task / rowTiles.count
            let columns = vocabularyTiles[tile]
            let part = logits.rows(rows).columns(columns)
            MatrixProduct.multiply(x.rows(rows), .plain, weight.rows(columns), .transposed, into: part)
            let offset = tile * x.rows + rows.lowerBound
            Kernels.table.softmax_statistics(
                maxima + offset,
                sums + offset,
                part.base,
                part.rows,
                part.columns,
                part.stride
            )
        }

        var loss = 0.0
        for row in 0..<x.rows {
            var largest = maxima[row]
            for tile in vocabularyTiles.indices { largest = max(largest, maxima[tile * x.rows + row]) }
            var total: Float = 0
            for tile in vocabularyTiles.indices {
                let index = tile * x.rows + row
                total += sums[index] * exponential(maxima[index] - largest)
            }
            lse[row] = largest + logarithm(total)
            loss += Double(lse[row]) - Double(logits[row, Int(targets[row])])
        }
        guard let dx, let gradient else { return loss }

        pool.run(rowTiles.count * vocabularyTiles.count) { task, _ in
            let rows = rowTiles[task % rowTiles.count]
            let columns = vocabularyTiles[task / rowTiles.count]
            let part = logits.rows(rows).columns(columns)
            Kernels.table.cross_entropy_backward(
                part.base,
                lse + rows.lowerBound,
                targets + rows.lowerBound,
                gradientScale,
                part.rows,
                part.columns,
                part.stride,
                columns.lowerBound
            )
        }
        pool.run(vocabularyTiles.count + rowTiles.count) { task, _ in
            if task < vocabularyTiles.count {
                let columns = vocabularyTiles[task]
                MatrixProduct.multiply(
                    logits.columns(columns),
                    .transposed,
                    x,
                    .plain,
                    into: gradient.rows(columns),
                    keep: 1
                )
            } else {
                let rows = rowTiles[task - vocabularyTiles.count]
                MatrixProduct.multiply(logits.rows(rows), .plain, weight, .plain, into: dx.rows(rows))
            }
        }
        return loss
    }
}

/// Rows a task for phases that work row by row: four tasks for a small chunk, at most 256 rows, multiples of 16 so that
/// BLAS gives a row the same bits whatever tile it is in.
func rowTileSize(rows: Int) -> Int {
    min(256, max(16, ((rows + 3) / 4 + 15) / 16 * 16))
}
