import Platform

/// The processors that this process may use.
public enum Processors {
    /// Cores by affinity, and no more than a container's quota grants; at least 1.
    public static var available: Int {
        #if os(Linux)
            let count = allowed ?? sysconf(Int32(_SC_NPROCESSORS_ONLN))
            return max(1, min(count, quota ?? count))
        #else
            return max(1, sysconf(_SC_NPROCESSORS_ONLN))
        #endif
    }

    /// Worker threads for an option that takes 0 for every core.
    public static func count(asked threads: Int) -> Int { threads == 0 ? available : threads }

    #if os(Linux)
        /// Numbers of the cores by affinity; nil where the system does not say. `Cpus_allowed_list` holds ranges such as `0-3,8`.
        public static var allowedCores: [Int]? {
            guard let line = SystemFile.lines("/proc/self/status").first(where: { $0.hasPrefix("Cpus_allowed_list:") }),
                let list = line.split(whereSeparator: { $0 == "\t" || $0 == " " }).last
            else { return nil }
            let ranges = list.split(separator: ",").map { $0.split(separator: "-").compactMap { Int($0) } }
            let cores = ranges.flatMap { range in range.last.map { Array(range[0]...max(range[0], $0)) } ?? [] }
            return cores.isEmpty ? nil : cores
        }

        /// How many cores by affinity.
        public static var allowed: Int? { allowedCores?.count }

        /// Cores whose time control groups grant, as those of a container, rounded up; nil without a quota.
        public static var quota: Int? { ControlGroups().processorQuota.map { max(1, Int($0.rounded(.up))) } }
    #else
        /// Nil: only Linux tells cores by affinity.
        public static var allowedCores: [Int]? { nil }
        /// Nil: only Linux has container quotas.
        public static var quota: Int? { nil }
    #endif
}
