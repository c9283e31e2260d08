import Formats
import Transformer

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Whether a run fits this machine's memory, said before anything is allocated.
public struct MemoryCheck {
    let estimate: GPT.MemoryEstimate
    /// Bytes that can be had, nil where the system does not say.
    let available: Int?

    /// - Throws: `UserError(.usage)` with the estimate and the largest batch that fits, when this one does not.
    public init(
        configuration: GPTConfiguration,
        batchSize: Int,
        threads: Int,
        available: Int? = Self.availableBytes
    ) throws {
        func estimate(_ batchSize: Int) -> GPT.MemoryEstimate {
            GPT.memoryEstimate(
                configuration: configuration,
                batchSize: batchSize,
                sequenceLength: configuration.blockSize,
                threads: threads
            )
        }
        self.estimate = estimate(batchSize)
        self.available = available
        guard let available, self.estimate.total > available else { return }
        let need =
            "n_layer=\(configuration.layerCount), n_embd=\(configuration.embeddingSize), "
            + "block_size=\(configuration.blockSize) and batch_size=\(batchSize) take \(Self.text(self.estimate)), "
            + "but \(Self.text(bytes: available)) are free"
        // The estimate grows with the batch, or not at all past one chunk.
        var (fits, tooLarge) = (0, batchSize)
        while tooLarge - fits > 1 {
            let middle = (fits + tooLarge) / 2
            if estimate(middle).total <= available { fits = middle } else { tooLarge = middle }
        }
        guard fits > 0 else {
            throw UserError(
                .usage,
                "\(need): not even batch_size=1 fits, so choose a smaller model, such as --preset=small"
            )
        }
        throw UserError(.usage, "\(need): the largest batch_size that fits is \(fits)")
    }

    static func text(_ estimate: GPT.MemoryEstimate) -> String {
        """
        \(text(bytes: estimate.total)) (parameters \(text(bytes: estimate.parameters)), gradients \
        \(text(bytes: estimate.gradients)), moments \(text(bytes: estimate.moments)), activations \
        \(text(bytes: estimate.activations)))
        """
    }

    public static func text(bytes: Int) -> String {
        switch bytes {
        case ..<10_000_000: "\(Numbers.fixed(Double(bytes) / 1e6, 1)) MB"
        case ..<1_000_000_000: "\(Numbers.fixed(Double(bytes) / 1e6, 0)) MB"
        default: "\(Numbers.fixed(Double(bytes) / 1e9, 1)) GB"
        }
    }

    /// What a process may still take: the system's own estimate, and no more than a container's limit leaves.
    public static var availableBytes: Int? {
        #if os(Linux)
            var bounds: [Int] = []
            if let line = KernelFile.lines("/proc/meminfo").first(where: { $0.hasPrefix("MemAvailable:") }),
                let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
            {
                bounds.append(kilobytes * 1024)
            }
            for (limit, usage) in [
                ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
                ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
            ] {
                guard let limit = KernelFile.lines(limit).first.flatMap({ Int($0) }) else { continue }
                // Usage counts the file cache, which gives way: a limit is taken to leave at least half of itself.
                let used = KernelFile.lines(usage).first.flatMap { Int($0) } ?? 0
                bounds.append(max(limit - used, limit / 2))
            }
            return bounds.min()
        #else
            var size: UInt64 = 0
            var length = MemoryLayout<UInt64>.size
            return sysctlbyname("hw.memsize", &size, &length, nil, 0) == 0 ? Int(size) : nil
        #endif
    }
}
