import Training

#if canImport(Darwin)
    import Darwin
#endif

/// The most memory that this process has had resident.
enum PeakMemory {
    /// In bytes; nil where the system does not say. On Linux not `getrusage`'s, which counts what the process that started
    /// this one had.
    static var bytes: Int? {
        #if canImport(Darwin)
            var usage = rusage()
            return getrusage(RUSAGE_SELF, &usage) == 0 ? Int(usage.ru_maxrss) : nil
        #else
            let line = KernelFile.lines("/proc/self/status").first { $0.hasPrefix("VmHWM:") }
            let kilobytes = line?.split { " \t".contains($0) }.dropFirst().first.flatMap { Int($0) }
            return kilobytes.map { $0 * 1024 }
        #endif
    }
}
