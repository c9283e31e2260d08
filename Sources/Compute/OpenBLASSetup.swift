#if !canImport(Accelerate)
    import COpenBLAS
    import Platform

    /// Brings OpenBLAS into the state that the worker pool needs.
    enum OpenBLASSetup {
        static let once: Void = { _ = replacedKernel }()

        /// The kernel that was chosen wrongly, if one was.
        static let replacedKernel: String? = {
            let replaced = replaceOutdatedKernel()
            openblas_set_num_threads(1)
            return replaced
        }()

        /// Until version 0.3.25 OpenBLAS takes an Intel processor that it does not know by number for one of 2004 ("Prescott",
        /// OpenBLAS issue 4267), and runs at a quarter of its speed or less. Where the vector kernels know better, it is made to
        /// choose again. A choice by the user (OPENBLAS_CORETYPE) stands; a library without these entry points is left alone.
        ///
        /// - Returns: the kernel that was replaced.
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
