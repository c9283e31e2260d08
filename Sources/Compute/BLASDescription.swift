#if !canImport(Accelerate)
    import COpenBLAS
#endif

/// What the library of matrix products is, for `ddp-train doctor`.
public enum BLASDescription {
    /// Version and options of its build, as the library tells them.
    public static var build: String {
        #if canImport(Accelerate)
            "Accelerate"
        #else
            String(cString: openblas_get_config())
        #endif
    }

    /// The kernel that OpenBLAS took at first, if its choice was mended (see `OpenBLASSetup`); nil when it stands.
    public static var replacedKernel: String? {
        #if canImport(Accelerate)
            nil
        #else
            OpenBLASSetup.replacedKernel
        #endif
    }
}
