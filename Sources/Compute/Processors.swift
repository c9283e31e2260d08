import Platform

/// The processors that this process may use.
public enum Processors {
    /// The number of cores that CPU affinity and a container's quota allow; at least 1.
    public static var available: Int {
        #if os(Linux)
            let count = allowed ?? sysconf(Int32(_SC_NPROCESSORS_ONLN))
            return max(1, min(count, quota ?? count))
        #else
            return max(1, sysconf(_SC_NPROCESSORS_ONLN))
        #endif
    }

    /// Returns the number of worker threads for an option whose value 0 means all available cores.
    public static func count(asked threads: Int) -> Int { threads == 0 ? available : threads }

    #if os(Linux)
        /// The indices of the cores in the CPU affinity mask; nil if the system does not report them.
        /// `Cpus_allowed_list` holds ranges such as `0-3,8`.
        public static var allowedCores: [Int]? {
            guard let line = SystemFile.lines("/proc/self/status").first(where: { $0.hasPrefix("Cpus_allowed_list:") }),
                let list = line.split(whereSeparator: { $0 == "\t" || $0 == " " }).last
            else { return nil }
            let ranges = list.split(separator: ",").map { $0.split(separator: "-").compactMap { Int($0) } }
            let cores = ranges.flatMap { range in range.last.map { Array(range[0]...max(range[0], $0)) } ?? [] }
            return cores.isEmpty ? nil : cores
        }

        /// The number of cores in the CPU affinity mask; nil if the system does not report it.
        public static var allowed: Int? { allowedCores?.count }

        /// The number of cores that control groups allow, such as a container's CPU quota, rounded up; nil without a quota.
        public static var quota: Int? { ControlGroups().processorQuota.map { max(1, Int($0.rounded(.up))) } }
    #else
        /// Always nil: only Linux reports CPU affinity.
        public static var allowedCores: [Int]? { nil }
        /// Always nil: only Linux has container quotas.
        public static var quota: Int? { nil }
    #endif
}
