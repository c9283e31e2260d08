#if !canImport(Accelerate)
    import COpenBLAS
    import Platform

    /// Configures OpenBLAS for use by the worker pool.
    enum OpenBLASSetup {
        static let once: Void = { _ = replacedKernel }()

        /// The kernel that was replaced; nil if OpenBLAS kept its own selection.
        static let replacedKernel: String? = {
            let replaced = replaceOutdatedKernel()
            openblas_set_num_threads(1)
            return replaced
        }()

        /// Makes OpenBLAS select its kernel again if it mistook a new processor for an old one.
        ///
        /// Up to version 0.3.25, OpenBLAS treats an unknown Intel processor as one of 2004 ("Prescott", OpenBLAS issue
        /// 4267), and then runs at a quarter of its speed or less. This function compares the selection with the
        /// instruction sets that the processor supports. It respects OPENBLAS_CORETYPE if the user set it, and does
        /// nothing if the library lacks the entry points.
        ///
        /// - Returns: the kernel that was replaced, or nil.
        private static func replaceOutdatedKernel() -> String? {
            let outdated: Set = [
                "Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Katmai", "Coppermine", "Northwood", "Banias",
            ]
            let better: String? =
                switch Kernels.available.first {
                case "avx512": "SkylakeX"
                case "avx2": "Haswell"
                default: nil
                }
            let chosen = String(cString: openblas_get_corename())
            guard getenv("OPENBLAS_CORETYPE") == nil, let better, outdated.contains(chosen),
                let quit = dlsym(nil, "gotoblas_dynamic_quit"), let start = dlsym(nil, "gotoblas_dynamic_init")
            else { return nil }
            typealias EntryPoint = @convention(c) () -> Void
            setenv("OPENBLAS_CORETYPE", better, 1)
            unsafeBitCast(quit, to: EntryPoint.self)()
            unsafeBitCast(start, to: EntryPoint.self)()
            return chosen
        }
    }
#endif
