import Configuration
import Compute
import Platform
import Transformer

/// Whether a run fits this machine's memory, said before anything is allocated.
public struct MemoryCheck {
    let plan: MemoryPlan
    /// Bytes that can be had, nil where the system does not say.
    let available: Int?
    /// Whether there is memory for the copy that checkpoints are written from while training goes on.
    let hasRoomForCopy: Bool

    /// - Throws: `UserError(.usage)` with the estimate and the largest batch and block that fit, when this one does
    ///   not.
    public init(
        model: GPTConfiguration,
        training: TrainingConfiguration,
        threads: Int,
        available: Int? = Self.availableBytes
    ) throws {
        func plan(_ batchSize: Int, _ blockSize: Int) -> MemoryPlan {
            var (shape, values) = (model, training)
            shape.blockSize = blockSize
            values.batchSize = batchSize
            return MemoryPlan(model: shape, training: values, threads: threads)
        }
        let (batchSize, blockSize) = (training.batchSize, model.blockSize)
        let asked = plan(batchSize, blockSize)
        self.plan = asked
        self.available = available
        hasRoomForCopy = available.map { asked.stillNeeded + asked.checkpointCopy <= $0 } ?? true
        guard let available, asked.stillNeeded > available else { return }
        let need =
            "n_layer=\(model.layerCount), n_embd=\(model.embeddingSize), "
            + "block_size=\(blockSize) and batch_size=\(batchSize) take \(text), "
            + "but \(ByteCount.text(available)) are free"
        func fits(_ batchSize: Int, _ blockSize: Int) -> Bool {
            plan(batchSize, blockSize).stillNeeded <= available
        }
        let batch = Self.largest(below: batchSize) { fits($0, blockSize) }
        let block = Self.largest(below: blockSize) { fits(batchSize, $0) }
        var mends: [String] = []
        if let batch { mends.append("--batch_size=\(batch)") }
        if let block { mends.append("--block_size=\(block)") }
        if mends.isEmpty, batchSize > 1, let block = Self.largest(below: blockSize, where: { fits(1, $0) }) {
            mends.append("--batch_size=1 with --block_size=\(block)")
        }
        guard !mends.isEmpty else {
            throw UserError(
                .usage,
                "\(need): not even batch_size=1 and block_size=1 fit, so choose a smaller model, such as --preset=small"
            )
        }
        throw UserError(.usage, "\(need): the largest that fit are \(mends.joined(separator: ", or "))")
    }

    /// From the first of the coarse sizes that fits, up as long as the next one does. Nil when none fits.
    private static func largest(below size: Int, where fits: (Int) -> Bool) -> Int? {
        guard var best = descending(from: size - 1).first(where: fits) else { return nil }
        while best + 1 < size, fits(best + 1) { best += 1 }
        return best
    }

    /// Sizes to try, the largest first: every one below 64, then multiples of 16, of 256, and so on, so that there are
    /// never many. Memory does not simply grow with either size, as a micro-batch is cut evenly into chunks.
    private static func descending(from largest: Int) -> some Sequence<Int> {
        sequence(state: largest) { size -> Int? in
            guard size > 0 else { return nil }
            var step = 1
            while size >= 64 * step { step *= 16 }
            let rounded = size / step * step
            size = rounded - 1
            return rounded
        }
    }

    /// The memory of the model and its optimizer, by what it is for.
    var text: String {
        let model = plan.model
        return """
            \(ByteCount.text(model.total + plan.optimizer)) (parameters \(ByteCount.text(model.parameters)), gradients \
            \(ByteCount.text(model.gradients)), moments \(ByteCount.text(plan.optimizer)), activations \
            \(ByteCount.text(model.activations)), logits \(ByteCount.text(model.logits)))
            """
    }

    /// What a process may still take: the system's own estimate, and no more than limits of control groups leave.
    public static var availableBytes: Int? {
        #if os(Linux)
            var bounds: [Int] = []
            if let line = SystemFile.lines("/proc/meminfo").first(where: { $0.hasPrefix("MemAvailable:") }),
                let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
            {
                bounds.append(kilobytes * 1024)
            }
            if let left = ControlGroups().availableMemory { bounds.append(left) }
            return bounds.min()
        #else
            var size: UInt64 = 0
            var length = MemoryLayout<UInt64>.size
            return sysctlbyname("hw.memsize", &size, &length, nil, 0) == 0 ? Int(size) : nil
        #endif
    }
}
