import Training

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// The memory of this process.
public enum ProcessMemory {
    /// Bytes that are resident now, after what is free was given back; nil where the system does not say.
    public static var resident: Int? {
        #if canImport(Glibc)
            // Not in Swift's module of the C library.
            if let trim = dlsym(nil, "malloc_trim") {
                typealias EntryPoint = @convention(c) (Int) -> Int32
                _ = unsafeBitCast(trim, to: EntryPoint.self)(0)
            }
        #endif
        return field("VmRSS:")
    }

    private static func field(_ name: String) -> Int? {
        KernelFile.lines("/proc/self/status").first { $0.hasPrefix(name) }
            .flatMap { line in line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first }
            .flatMap { Int($0) }.map { $0 * 1024 }
    }
}
