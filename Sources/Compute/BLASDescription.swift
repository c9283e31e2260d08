#if !canImport(Accelerate)
    import COpenBLAS
#endif

/// Describes the linked BLAS library, for `ddp-train doctor`.
public enum BLASDescription {
    /// The library's version and build options, as the library reports them.
    public static var build: String {
        #if canImport(Accelerate)
            "Accelerate"
        #else
            String(cString: openblas_get_config())
        #endif
    }

    /// The kernel that OpenBLAS first selected, if `OpenBLASSetup` replaced it; nil if the selection was kept.
    public static var replacedKernel: String? {
        #if canImport(Accelerate)
            nil
        #else
            OpenBLASSetup.replacedKernel
        #endif
    }
}
