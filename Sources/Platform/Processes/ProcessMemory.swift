/// The memory of this process, in bytes; nil where the system does not say.
package enum ProcessMemory {
    /// What is resident now, after what is free was given back.
    package static var resident: Int? {
        #if canImport(Glibc)
            // Not in Swift's module of the C library.
            if let trim = dlsym(nil, "malloc_trim") {
                typealias EntryPoint = @convention(c) (Int) -> Int32
                _ = unsafeBitCast(trim, to: EntryPoint.self)(0)
            }
        #endif
        return field("VmRSS:")
    }

    /// The most that has been resident. On Linux not `getrusage`'s, which counts what the process that started this one
    /// had.
    package static var peak: Int? {
        #if canImport(Darwin)
            var usage = rusage()
            return getrusage(RUSAGE_SELF, &usage) == 0 ? Int(usage.ru_maxrss) : nil
        #else
            return field("VmHWM:")
        #endif
    }

    private static func field(_ name: String) -> Int? {
        SystemFile.lines("/proc/self/status").first { $0.hasPrefix(name) }
            .flatMap { line in line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first }
            .flatMap { Int($0) }.map { $0 * 1024 }
    }
}
