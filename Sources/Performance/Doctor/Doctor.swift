import Compute
import Platform
import Training

/// Checks whether this build and machine are ready for training.
package struct Doctor {
    /// The program's version.
    package var version: String
    /// The folder of the datasets, which need not exist.
    package var dataDir: String
    /// The folder that runs write to, which need not exist.
    package var outDir: String
    /// The number of worker threads for measurements.
    package var threads: Int

    package init(version: String, dataDir: String, outDir: String, threads: Int) {
        self.version = version
        self.dataDir = dataDir
        self.outDir = outDir
        self.threads = threads
    }

    /// Runs all checks. Takes about half a second, most of it for measurements.
    package func examine() -> DoctorReport {
        DoctorReport(build + processor + speed + job + folders)
    }

    // MARK: Build

    private var build: [Finding] {
        #if DEBUG
            let mode = "debug"
        #else
            let mode = "release"
        #endif
        return [
            Finding("version", "version", version),
            Finding(
                "build_mode",
                "build",
                mode,
                state: mode == "debug" ? .missing : .fine,
                advice: mode == "debug" ? "code outside the numeric kernels is slow: swift build -c release" : nil
            ),
            blas, products,
        ]
    }

    private var blas: Finding {
        MatrixProducts.prepare()
        let implementation = MatrixProducts.standard.description
        let replacedKernel = BLASDescription.replacedKernel
        let blas = MatrixProducts.blasDescription + (replacedKernel.map { " (replaces its choice \($0))" } ?? "")
        let kernel =
            MatrixProducts.standard.implementation == .own ? "\(implementation); products of few rows: \(blas)" : blas
        return Finding(
            "blas",
            "matrix products",
            kernel,
            .object([
                .init("library", .string(implementation)), .init("kernel", .string(MatrixProducts.blasDescription)),
                .init("build", .string(BLASDescription.build)),
                .init("mended_from", replacedKernel.map { .string($0) } ?? .null),
            ])
        )
    }

    /// Computes a product with a known result, to detect a library that computes wrong results.
    private var products: Finding {
        let (rows, inner, columns) = (37, 41, 43)
        let memory = FloatBuffer(count: rows * inner + inner * columns + rows * columns)
        let a = MatrixView(memory.base, rows: rows, columns: inner)
        let b = MatrixView(memory.base + rows * inner, rows: inner, columns: columns)
        let c = MatrixView(memory.base + rows * inner + inner * columns, rows: rows, columns: columns)
        for index in 0..<rows * inner { a.base[index] = Float(index % 7 - 3) }
        for index in 0..<inner * columns { b.base[index] = Float(index % 5 - 2) }
        MatrixProducts.standard.multiply(a, .plain, b, .plain, into: c)
        // Sums of small integers are exact in any order.
        let wrong = (0..<rows * columns).filter { element in
            let (row, column) = (element / columns, element % columns)
            return c[row, column] != (0..<inner).reduce(Float(0)) { $0 + a[row, $1] * b[$1, column] }
        }.count
        return Finding(
            "products_right",
            "product results",
            wrong == 0 ? "correct" : "\(wrong) of \(rows * columns) numbers are wrong",
            .bool(wrong == 0),
            state: wrong == 0 ? .fine : .broken,
            advice: wrong == 0
                ? nil : "the BLAS library computes wrong results on this machine: install another build of it"
        )
    }

    // MARK: Processor and memory

    private var processor: [Finding] {
        let forced = ProcessEnvironment.value("DDP_TRAIN_ISA")
        let vectors =
            "\(Kernels.standard.instructionSet)\(forced == nil ? "" : " (set by DDP_TRAIN_ISA)"); available: "
            + Kernels.available.joined(separator: ", ")
        return [
            Finding(
                "vector_instructions",
                "vector loops",
                vectors,
                .object([
                    .init("chosen", .string(Kernels.standard.instructionSet)),
                    .init("available", .array(Kernels.available.map { .string($0) })),
                    .init("forced", forced.map { .string($0) } ?? .null),
                ])
            ),
            cores, memory,
        ]
    }

    private var cores: Finding {
        let online = Int(sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        #if os(Linux)
            let (allowed, quota) = (Processors.allowed, Processors.quota)
        #else
            let (allowed, quota): (Int?, Int?) = (nil, nil)
        #endif
        var text = "\(Processors.available) usable of \(online) online"
        if let allowed, allowed < online { text += "; CPU affinity allows \(allowed)" }
        if let quota { text += "; the container's quota is \(quota)" }
        return Finding(
            "cores",
            "cores",
            text,
            .object([
                .init("usable", .integer(Processors.available)), .init("online", .integer(online)),
                .init("affinity", allowed.map { .integer($0) } ?? .null),
                .init("quota", quota.map { .integer($0) } ?? .null),
            ])
        )
    }

    /// The memory of the smallest preset `baby`, in bytes.
    private static let minimumMemory = 100_000_000

    private var memory: Finding {
        let free = MemoryCheck.availableBytes
        let isEnough = free.map { $0 >= Self.minimumMemory } ?? true
        return Finding(
            "memory_available_bytes",
            "memory free",
            free.map { ByteCount.text($0) } ?? "unknown",
            free.map { .integer($0) } ?? .null,
            state: isEnough ? .fine : .broken,
            advice: isEnough
                ? nil : "the smallest preset needs 100 MB: end other programs, or raise the container's limit"
        )
    }

    private var speed: [Finding] {
        let pool = WorkerPool(threadCount: threads)
        let peak = MachinePeak.measure(pool: pool) / 1e9
        let copy = CopyBandwidth.measure(pool: pool)
        let with = "with \(threads) \(threads == 1 ? "thread" : "threads")"
        return [
            Finding("threads", "threads", "\(threads)", .integer(threads)),
            Finding(
                "gemm_peak_gflops",
                "product speed",
                "\(Numbers.fixed(peak, 0)) GFLOP/s \(with)",
                .number(peak)
            ),
            Finding(
                "copy_bytes_per_second",
                "copy speed",
                "\(Numbers.fixed(copy / 1e9, 1)) GB/s \(with)",
                .number(copy)
            ),
        ]
    }
}
