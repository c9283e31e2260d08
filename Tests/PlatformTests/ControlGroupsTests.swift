import Platform
import TestSupport
import Testing

/// Control groups as the kernel shows them, in folders made for each test.
@Suite("Control groups")
struct ControlGroupsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func write(_ files: [String: String]) throws -> ControlGroups {
        for (path, text) in files {
            let full = folder(path)
            try FileSystem.createFolder(FileSystem.folder(of: full))
            try AtomicFile.write(text + "\n", to: full)
        }
        return ControlGroups(systemRoot: folder.path)
    }

    private let version2 = "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate"
    private let version1 = """
        31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
        32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
        33 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
        34 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
        """

    @Test("Without control groups, and without limits, there are none")
    func none() throws {
        #expect(ControlGroups(systemRoot: folder.path).processorQuota == nil)
        #expect(ControlGroups(systemRoot: folder.path).availableMemory == nil)
        let groups = try write([
            "proc/self/mountinfo": version2, "proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/cpu.max": "max 100000",
            "sys/fs/cgroup/a/memory.max": "max", "sys/fs/cgroup/a/memory.high": "max",
            "sys/fs/cgroup/a/memory.current": "5",
        ])
        #expect(groups.processorQuota == nil)
        #expect(groups.availableMemory == nil)
    }

    @Test("Version 2: the narrowest of the group and of those above it counts")
    func nested() throws {
        let groups = try write([
            "proc/self/mountinfo": version2, "proc/self/cgroup": "0::/user.slice/job/rank",
            "sys/fs/cgroup/user.slice/cpu.max": "150000 100000", "sys/fs/cgroup/user.slice/memory.max": "9000",
            "sys/fs/cgroup/user.slice/memory.current": "7000",
            "sys/fs/cgroup/user.slice/memory.stat": "anon 5500\ninactive_file 1000\nactive_file 500\nshmem 9",
            "sys/fs/cgroup/user.slice/job/cpu.max": "400000 100000", "sys/fs/cgroup/user.slice/job/memory.max": "8000",
            "sys/fs/cgroup/user.slice/job/memory.high": "7500", "sys/fs/cgroup/user.slice/job/memory.current": "3000",
            "sys/fs/cgroup/user.slice/job/rank/cpu.max": "max 100000",
            "sys/fs/cgroup/user.slice/job/rank/memory.max": "max",
            // A neighbor's limit is not this process's.
            "sys/fs/cgroup/other/cpu.max": "1000 100000", "sys/fs/cgroup/other/memory.max": "1",
        ])
        #expect(groups.processorQuota == 1.5)
        // 9,000 less the 7,000 - 1,500 that do not give way; the group below leaves 4,500.
        #expect(groups.availableMemory == 3500)
    }

    @Test("Above memory.high a group is slowed down, so it is a limit")
    func high() throws {
        let groups = try write([
            "proc/self/mountinfo": version2, "proc/self/cgroup": "0::/a", "sys/fs/cgroup/a/memory.max": "max",
            "sys/fs/cgroup/a/memory.high": "6000", "sys/fs/cgroup/a/memory.current": "1000",
        ])
        #expect(groups.availableMemory == 5000)
    }

    @Test("Version 1, beside an empty version 2: a quota of each period, and limits that count groups below")
    func first() throws {
        let memory = "sys/fs/cgroup/memory/docker"
        let groups = try write([
            "proc/self/mountinfo": version1,
            "proc/self/cgroup": "4:memory:/docker/abc\n3:cpuset:/\n2:cpu,cpuacct:/docker/abc\n0::/",
            "sys/fs/cgroup/unified/cgroup.procs": "1",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us": "250000",
            "sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us": "100000",
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_quota_us": "-1",
            "sys/fs/cgroup/cpu,cpuacct/docker/abc/cpu.cfs_period_us": "100000",
            "\(memory)/memory.limit_in_bytes": "5000", "\(memory)/memory.usage_in_bytes": "4000",
            "\(memory)/memory.use_hierarchy": "1",
            "\(memory)/memory.stat": "inactive_file 7\ntotal_inactive_file 300\ntotal_active_file 200",
            "\(memory)/abc/memory.limit_in_bytes": "9223372036854771712", "\(memory)/abc/memory.usage_in_bytes": "10",
        ])
        #expect(groups.processorQuota == 2.5)
        #expect(groups.availableMemory == 1500)
        let alone = try write(["\(memory)/memory.use_hierarchy": "0"])
        #expect(alone.availableMemory == nil)
    }

    @Test(
        "A container's own group, mounted elsewhere, under a path that its mount does not have",
        arguments: [
            // The mount begins at the group, whose path is the host's.
            ("/docker/abc", "/docker/abc", ""), ("/docker/abc", "/docker/abc/inner", "/inner"),
            // The path is one of another namespace, or leads out of this one.
            ("/", "/docker/abc", ""), ("/", "/../other", ""),
        ]
    )
    func container(root: String, path: String, inner: String) throws {
        let point = "/my\\040groups"
        let groups = try write([
            "proc/self/mountinfo":
                "9 1 0:3 \(root) \(point) ro - cgroup2 none rw\n10 1 0:3 / /also rw - cgroup2 none rw",
            "proc/self/cgroup": "0::\(path)",
            "my groups\(inner)/cpu.max": "50000 100000", "my groups\(inner)/memory.max": "4096",
        ])
        #expect(groups.processorQuota == 0.5)
        #expect(groups.availableMemory == 4096)
    }

    @Test(
        "Lines that make no sense are passed over",
        arguments: ["", "x", "a b c d e f", "1 2 3 / /p rw -", "1 2 3 / /p rw"]
    )
    func nonsense(line: String) throws {
        let groups = try write(["proc/self/mountinfo": line, "proc/self/cgroup": "0\n::\n0::/a\n\(line)"])
        #expect(groups.availableMemory == nil && groups.processorQuota == nil)
    }
}
