/// What control groups of Linux leave to this process: of its own group and of all above it, each of which may be the narrowest.
///
/// Version 1 has a hierarchy for processors and one for memory, version 2 has one for both; a system may have both versions. A
/// container sees the part of a hierarchy from its own root on, and the kernel holds it to what is above that as well.
package struct ControlGroups {
    /// The folders of the groups, the process's own first.
    private let processors: [Group]
    private let memory: [Group]

    private struct Group {
        let folder: String
        let isVersion2: Bool

        /// A whole number alone in its file; nil for `max` and for files that are not there.
        func number(_ name: String) -> Int? { SystemFile.lines("\(folder)/\(name)").first.flatMap { Int($0) } }
    }

    /// - Parameter systemRoot: stands before every path that is read.
    package init(systemRoot: String = "") {
        let mounts = Mount.all(systemRoot: systemRoot).filter { $0.type == "cgroup" || $0.type == "cgroup2" }
        let memberships = SystemFile.lines(systemRoot + "/proc/self/cgroup", limit: 4 << 20).map {
            $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
        }
        func groups(_ controller: String) -> [Group] {
            memberships.filter { $0.count == 3 }.flatMap { words -> [Group] in
                let isVersion2 = words[0] == "0" && words[1].isEmpty
                guard isVersion2 || words[1].split(separator: ",").contains(Substring(controller)) else { return [] }
                let candidates = mounts.filter {
                    isVersion2 ? $0.type == "cgroup2" : $0.type == "cgroup" && $0.options.contains(controller)
                }
                return Self.folders(of: String(words[2]), in: candidates, systemRoot).map {
                    Group(folder: $0, isVersion2: isVersion2)
                }
            }
        }
        processors = groups("cpu")
        memory = groups("memory")
    }

    /// The folder of a group and those above it, up to the root of its mount.
    ///
    /// A container may see its group under a path that stands for nothing in its own mount: then what it sees begins at its group.
    private static func folders(of path: String, in mounts: [Mount], _ systemRoot: String) -> [String] {
        for mount in mounts {
            let root = mount.root == "/" ? "" : mount.root
            guard path == root || path.hasPrefix(root + "/"), !path.split(separator: "/").contains("..") else {
                continue
            }
            let point = systemRoot + mount.point
            var folder = point + path.dropFirst(root.count)
            while folder.hasSuffix("/") { folder.removeLast() }
            guard FileSystem.kind(of: folder) == .folder else { continue }
            var folders = [folder]
            while folder.utf8.count > point.utf8.count {
                folder = FileSystem.folder(of: folder)
                folders.append(folder)
            }
            return folders
        }
        return mounts.first.map { [systemRoot + $0.point] } ?? []
    }

    // MARK: Processors

    /// Processors whose time the process may use up: the least of all groups, such as 1.5; nil without a quota.
    package var processorQuota: Double? {
        processors.compactMap(quota).min()
    }

    private func quota(of group: Group) -> Double? {
        let (time, period): (Int?, Int?)
        if group.isVersion2 {
            // Microseconds in each period, or `max`, and the period.
            let words = SystemFile.lines(group.folder + "/cpu.max").first?.split(separator: " ") ?? []
            (time, period) = words.count == 2 ? (Int(words[0]), Int(words[1])) : (nil, nil)
        } else {
            // -1 stands for no quota.
            (time, period) = (group.number("cpu.cfs_quota_us"), group.number("cpu.cfs_period_us"))
        }
        guard let time, let period, time > 0, period > 0 else { return nil }
        return Double(time) / Double(period)
    }

    // MARK: Memory

    /// Bytes that the process may still take: the least of all groups; nil without a limit.
    package var availableMemory: Int? {
        memory.enumerated().compactMap { index, group in
            // In version 1 a group above can be set not to count those below it.
            index > 0 && !group.isVersion2 && group.number("memory.use_hierarchy") == 0 ? nil : available(in: group)
        }.min()
    }

    private func available(in group: Group) -> Int? {
        // Above memory.high the kernel slows the group down until it has given memory back.
        let names = group.isVersion2 ? ["memory.max", "memory.high"] : ["memory.limit_in_bytes"]
        // Version 1 writes about 2^63 for no limit.
        guard let limit = names.compactMap(group.number).filter({ $0 >= 0 && $0 < 1 << 60 }).min() else { return nil }
        let used = group.number(group.isVersion2 ? "memory.current" : "memory.usage_in_bytes") ?? 0
        return max(0, limit - max(0, used - fileCache(of: group)))
    }

    /// Bytes that count as used, and give way: the content of files that can be read again.
    private func fileCache(of group: Group) -> Int {
        let prefix = group.isVersion2 ? "" : "total_"
        return SystemFile.lines(group.folder + "/memory.stat").reduce(0) { sum, line in
            let words = line.split(separator: " ")
            guard words.count == 2, let bytes = Int(words[1]), (0..<1 << 60).contains(bytes),
                ["inactive_file", "active_file"].contains(where: { words[0] == prefix + $0 })
            else { return sum }
            return sum + bytes
        }
    }
}
