import Collectives
import Formats
import Text
import Training

extension Doctor {
    /// What several ranks and downloads need.
    var job: [Finding] { [mpi, interfaces, curl] }

    private var mpi: Finding {
        let mpirun = Surroundings.program("mpirun")
        let install = Surroundings.installation([
            "apt-get": "openmpi-bin libopenmpi-dev", "dnf": "openmpi openmpi-devel", "brew": "open-mpi",
        ])
        return Finding(
            "mpi",
            "MPI",
            mpirun.map { "\($0); this version of ddp-train does not use it yet" }
                ?? "no mpirun on the PATH; this version of ddp-train does not use it yet",
            .object([.init("mpirun", mpirun.map { .string($0) } ?? .null), .init("linked", .bool(false))]),
            state: mpirun == nil ? .missing : .fine,
            advice: mpirun == nil ? "for several machines: \(install ?? "install Open MPI")" : nil
        )
    }

    private var interfaces: Finding {
        let all = NetworkInterface.all()
        let text = all.map { "\($0.name) \($0.addresses.joined(separator: " "))" }.joined(separator: ", ")
        return Finding(
            "network_interfaces",
            "network",
            text.isEmpty ? "no interface is up" : text,
            .array(
                all.map { interface in
                    .object([
                        .init("name", .string(interface.name)), .init("loopback", .bool(interface.isLoopback)),
                        .init("addresses", .array(interface.addresses.map { .string($0) })),
                    ])
                }
            ),
            state: all.isEmpty ? .missing : .fine,
            advice: all.isEmpty ? "several ranks need one, and be it loopback: sudo ip link set lo up" : nil
        )
    }

    private var curl: Finding {
        let path = Surroundings.program("curl")
        let install = Surroundings.installation(["apt-get": "curl", "dnf": "curl", "brew": "curl"])
        return Finding(
            "curl",
            "curl",
            path ?? "not on the PATH",
            path.map { .string($0) } ?? .null,
            state: path == nil ? .missing : .fine,
            advice: path == nil ? "for downloads of data sets: \(install ?? "install curl")" : nil
        )
    }

    /// Where data, runs and downloads lie.
    var folders: [Finding] {
        var findings = [
            folder("data_dir", dataDir, isNeeded: false), folder("out_dir", outDir, isNeeded: true),
        ]
        do {
            findings.append(folder("cache", try CacheFolder.path(), isNeeded: false))
        } catch {
            findings.append(
                Finding(
                    "cache",
                    "cache",
                    "unknown",
                    .null,
                    state: .missing,
                    advice: "for downloads: name a folder in \(CacheFolder.variable), as HOME is not set"
                )
            )
        }
        return findings
    }

    /// - Parameter isNeeded: whether no run works where it cannot be written to.
    private func folder(_ key: String, _ path: String, isNeeded: Bool) -> Finding {
        let exists = FileSystem.kind(of: path) == .folder
        let free = Surroundings.freeBytes(at: path)
        let isWritable = Surroundings.isWritable(path)
        let isFile = !exists && FileSystem.kind(of: path) != nil
        var text = path + (exists ? "" : isFile ? " (not a folder)" : " (not there yet)")
        if let free { text += ", \(MemoryCheck.text(bytes: free)) free" }
        if !isWritable { text += ", not writable" }
        let isFine = isWritable && !isFile
        let option = key == "cache" ? CacheFolder.variable : "--\(key)"
        return Finding(
            key,
            key,
            text,
            .object([
                .init("path", .string(path)), .init("exists", .bool(exists)), .init("writable", .bool(isWritable)),
                .init("free_bytes", free.map { .integer($0) } ?? .null),
            ]),
            state: isFine ? .fine : isNeeded ? .broken : .missing,
            advice: isFine ? nil : "nothing can be written there: choose another folder with \(option)"
        )
    }
}
