import Compute

// How work is cut for the workers. The tasks of a phase are independent of each other, and what a task computes does not depend on
// which worker does it or on how many workers there are, so that the bits do not either.

/// A piece of work of one phase; the argument is the worker's number.
typealias PhaseTask = (_ worker: Int) -> Void

extension WorkerPool {
    /// Runs independent tasks of different kinds as one phase.
    func run(_ tasks: [PhaseTask]) {
        run(tasks.count) { task, worker in tasks[task](worker) }
    }
}

/// `0..<count` cut into ranges of `size`, the last one shorter if need be.
func tiles(of count: Int, size: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
}

/// `0..<count` cut into the fewest ranges of at most `size`, as even as whole multiples of 16 allow.
func evenTiles(of count: Int, atMost size: Int) -> [Range<Int>] {
    let pieces = (count + size - 1) / size
    guard pieces > 1 else { return [0..<count] }
    return tiles(of: count, size: ((count + pieces - 1) / pieces + 15) / 16 * 16)
}

/// The tiles of a phase that works row by row: some for each worker, of about 128 rows, so that reading packed weights from
/// the third-level cache pays off. BLAS gives a row the same bits only in tiles that are multiples of 16, and they
/// must not depend on the workers: four tasks for a small chunk, at most 256 rows each.
func rowTiles(of rows: Int, _ context: ComputeContext) -> [Range<Int>] {
    tiles(of: rows, size: rowTileSize(rows: rows, workers: context.pool.threadCount, context.products))
}

private func rowTileSize(rows: Int, workers: Int, _ products: MatrixProducts) -> Int {
    guard products.implementation == .own else { return min(256, max(16, ((rows + 3) / 4 + 15) / 16 * 16)) }
    let count = workers * max(1, (rows + 64 * workers) / (128 * workers))
    return max(1, (rows + count - 1) / count)
}

/// The largest tile of a phase over up to `rows` rows: fewer rows may make larger tiles, when each worker has but one.
func largestRowTile(of rows: Int, workers: Int, _ products: MatrixProducts) -> Int {
    (1...max(1, rows)).reduce(1) { max($0, rowTileSize(rows: $1, workers: workers, products)) }
}

extension Pass {
    /// Tiles of the gradient of a weight (rows, columns). Large ones pack x and dy less often; with many workers they are smaller.
    /// BLAS gets tiles that do not depend on the workers: at least 256 columns, and more where the weight has few rows.
    func gradientTiles(rows: Int, columns: Int) -> (rows: [Range<Int>], columns: [Range<Int>]) {
        guard products.implementation == .own else {
            return ([0..<rows], tiles(of: columns, size: max(256, (131_072 / rows) / 64 * 64)))
        }
        let workers = context.pool.threadCount
        let (height, width) = workers <= 4 ? (384, 512) : workers <= 12 ? (192, 256) : (96, 128)
        return (evenTiles(of: rows, atMost: height), evenTiles(of: columns, atMost: width))
    }
}
