import Compute

// How work is divided among the workers. The tasks of a phase are independent. What a task computes does not depend on
// which worker runs it or on the number of workers, so the resulting bits do not either.

/// One task of a phase; the argument is the worker's index.
typealias PhaseTask = (_ worker: Int) -> Void

extension WorkerPool {
    /// Runs independent tasks of different kinds as one phase.
    func run(_ tasks: [PhaseTask]) {
        run(tasks.count) { task, worker in tasks[task](worker) }
    }
}

/// Splits `0..<count` into ranges of `size`; the last one may be shorter.
func tiles(of count: Int, size: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
}

/// Splits `0..<count` into as few ranges of at most `size` as possible. Their sizes are equal up to multiples of 16.
func evenTiles(of count: Int, atMost size: Int) -> [Range<Int>] {
    let pieces = (count + size - 1) / size
    guard pieces > 1 else { return [0..<count] }
    return tiles(of: count, size: ((count + pieces - 1) / pieces + 15) / 16 * 16)
}

/// Returns the tiles of a row phase. Each worker gets a few tiles of about 128 rows, so that reading packed weights
/// from the L3 cache pays off. BLAS gives a row the same bits only in tiles that are multiples of 16 and do not depend
/// on the number of workers: it gets four tiles for a small chunk, of at most 256 rows each.
func rowTiles(of rows: Int, _ context: ComputeContext) -> [Range<Int>] {
    tiles(of: rows, size: rowTileSize(rows: rows, workers: context.pool.threadCount, context.products))
}

private func rowTileSize(rows: Int, workers: Int, _ products: MatrixProducts) -> Int {
    guard products.implementation == .own else { return min(256, max(16, ((rows + 3) / 4 + 15) / 16 * 16)) }
    let count = workers * max(1, (rows + 64 * workers) / (128 * workers))
    return max(1, (rows + count - 1) / count)
}

/// Returns the largest tile size of a phase over up to `rows` rows. Fewer rows can have larger tiles, if each worker
/// gets only one.
func largestRowTile(of rows: Int, workers: Int, _ products: MatrixProducts) -> Int {
    (1...max(1, rows)).reduce(1) { max($0, rowTileSize(rows: $1, workers: workers, products)) }
}

extension Pass {
    /// Returns the tiles of the gradient of a weight (rows, columns). Large tiles pack x and dy less often; with many
    /// workers the tiles are smaller. For BLAS the tiles do not depend on the number of workers: they have at least 256
    /// columns, and more if the weight has few rows.
    func gradientTiles(rows: Int, columns: Int) -> (rows: [Range<Int>], columns: [Range<Int>]) {
        guard products.implementation == .own else {
            return ([0..<rows], tiles(of: columns, size: max(256, (131_072 / rows) / 64 * 64)))
        }
        let workers = context.pool.threadCount
        let (height, width) = workers <= 4 ? (384, 512) : workers <= 12 ? (192, 256) : (96, 128)
        return (evenTiles(of: rows, atMost: height), evenTiles(of: columns, atMost: width))
    }
}
