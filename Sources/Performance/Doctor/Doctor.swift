import Compute
import Platform
import Training

/// Examines what this build and machine have for training, and what they lack.
public struct Doctor {
    /// Of the program, for the report.
    public var version: String
    /// Folder of the datasets, which need not exist.
    public var dataDir: String
    /// Folder that runs write to, which need not exist.
    public var outDir: String
    /// Worker threads to measure with.
    public var threads: Int

    /// Measures nothing yet: `examine` does.
    public init(version: String, dataDir: String, outDir: String, threads: Int) {
        self.version = version
        self.dataDir = dataDir
        self.outDir = outDir
        self.threads = threads
    }

    /// Takes about half a second, most of it to measure.
    public func examine() -> DoctorReport {
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
                advice: mode == "debug" ? "slow where it is not numeric: swift build -c release" : nil
            ),
            blas, products,
        ]
    }

    private var blas: Finding {
        MatrixProducts.prepare()
        let implementation = MatrixProducts.standard.description
        let mended = BLASDescription.replacedKernel
        let blas = MatrixProducts.blasDescription + (mended.map { " (mended: it had chosen \($0))" } ?? "")
        let kernel =
            MatrixProducts.standard.implementation == .own ? "\(implementation); products of few rows: \(blas)" : blas
        return Finding(
            "blas",
            "matrix products",
            kernel,
            .object([
                .init("library", .string(implementation)), .init("kernel", .string(MatrixProducts.blasDescription)),
                .init("build", .string(BLASDescription.build)),
                .init("mended_from", mended.map { .string($0) } ?? .null),
            ])
        )
    }

    /// A product of which the result is known, so that a library that is there and computes nonsense is found.
    private var products: Finding {
        let (rows, inner, columns) = (37, 41, 43)
        let memory = FloatBuffer(count: rows * inner + inner * columns + rows * columns)
        let a = MatrixView(memory.base, rows: rows, columns: inner)
        let b = MatrixView(memory.base + rows * inner, rows: inner, columns: columns)
        let c = MatrixView(memory.base + rows * inner + inner * columns, rows: rows, columns: columns)
        for index in 0..<rows * inner { a.base[index] = Float(index % 7 - 3) }
        for index in 0..<inner * columns { b.base[index] = Float(index % 5 - 2) }
        MatrixProducts.standard.multiply(a, .plain, b, .plain, into: c)
        // Small whole numbers: exact in any order of sums.
        let wrong = (0..<rows * columns).filter { element in
            let (row, column) = (element / columns, element % columns)
            return c[row, column] != (0..<inner).reduce(Float(0)) { $0 + a[row, $1] * b[$1, column] }
        }.count
        return Finding(
            "products_right",
            "their results",
            wrong == 0 ? "right" : "\(wrong) of \(rows * columns) numbers are wrong",
            .bool(wrong == 0),
            state: wrong == 0 ? .fine : .broken,
            advice: wrong == 0 ? nil : "the library of matrix products does not work here: install another build of it"
        )
    }

    // MARK: Processor and memory

    private var processor: [Finding] {
        let forced = ProcessEnvironment.value("DDP_TRAIN_ISA")
        let vectors =
            "\(Kernels.standard.instructionSet)\(forced == nil ? "" : " (by DDP_TRAIN_ISA)"), of "
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
        var text = "\(Processors.available) to use, of \(online) online"
        if let allowed, allowed < online { text += "; bound to \(allowed) by affinity" }
        if let quota { text += "; a quota of the time of \(quota)" }
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

    /// What `baby`, the smallest preset, takes.
    private static let leastMemory = 100_000_000

    private var memory: Finding {
        let free = MemoryCheck.availableBytes
        let isEnough = free.map { $0 >= Self.leastMemory } ?? true
        return Finding(
            "memory_available_bytes",
            "memory free",
            free.map { ByteCount.text($0) } ?? "unknown",
            free.map { .integer($0) } ?? .null,
            state: isEnough ? .fine : .broken,
            advice: isEnough
                ? nil : "the smallest preset takes 100 MB: end other programs, or raise the container's limit"
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
