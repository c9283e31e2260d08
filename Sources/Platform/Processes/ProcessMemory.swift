/// The memory of this process in bytes; nil if the system does not report it.
package enum ProcessMemory {
    /// Resident memory now, after unused heap memory was returned to the system.
    package static var resident: Int? {
        #if canImport(Glibc)
            // Swift's Glibc module does not declare malloc_trim.
            if let trim = dlsym(nil, "malloc_trim") {
                typealias EntryPoint = @convention(c) (Int) -> Int32
                _ = unsafeBitCast(trim, to: EntryPoint.self)(0)
            }
        #endif
        return field("VmRSS:")
    }

    /// The peak resident memory so far. On Linux `getrusage` does not work here: it includes the parent's memory before
    /// `exec`.
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
