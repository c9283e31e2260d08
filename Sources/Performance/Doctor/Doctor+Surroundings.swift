import Collectives
import Platform
import Preparation
import Training

extension Doctor {
    /// Checks of what several ranks, downloads and compressed text need.
    var job: [Finding] { [mpi, interfaces, curl, Self.archives(isBuiltIn: DataPreparation.readsArchives)] }

    private var mpi: Finding {
        let mpirun = Surroundings.program("mpirun")
        return Self.mpi(
            linked: MPILibrary.version,
            mpirun: mpirun,
            versionLine: mpirun.flatMap(Surroundings.firstLine(ofVersion:))
        )
    }

    /// - Parameters:
    ///   - linked: the version of the MPI library that this program was built with; nil if it was built without MPI.
    ///   - mpirun: the path of the launcher.
    ///   - versionLine: the first line of `mpirun --version`.
    static func mpi(linked: String?, mpirun: String?, versionLine: String?) -> Finding {
        let install = Surroundings.installation([
            "apt-get": "openmpi-bin libopenmpi-dev", "dnf": "openmpi openmpi-devel", "brew": "open-mpi",
        ])
        let launcher = mpirun.map { versionLine == nil ? $0 : "\($0): \(versionLine!)" } ?? "no mpirun on the PATH"
        // Different installations of one MPI have different version numbers, and so do different MPIs, nearly always.
        let isSame: Bool? =
            if let linked, let versionLine, let version = versionNumber(linked) {
                versionNumber(versionLine) == version
            } else { nil }
        let advice: String? =
            if linked == nil {
                "to use mpirun: \(install ?? "install Open MPI"), then swift build again; without it, ranks use TCP"
            } else if mpirun == nil {
                "to start ranks: \(install ?? "install Open MPI")"
            } else if isSame == false {
                "mpirun and the library have different versions, so each rank would run alone: put the mpirun of \(linked!) first "
                    + "on the PATH, or swift build again with the other MPI's folder in PKG_CONFIG_PATH"
            } else {
                nil
            }
        return Finding(
            "mpi",
            "MPI",
            "\(linked.map { "\($0) linked" } ?? "not built in"); \(launcher)",
            .object([
                .init("mpirun", mpirun.map { .string($0) } ?? .null), .init("linked", .bool(linked != nil)),
                .init("library", linked.map { .string($0) } ?? .null),
                .init("mpirun_version", versionLine.map { .string($0) } ?? .null),
                .init("same_version", isSame.map { .bool($0) } ?? .null),
            ]),
            state: advice == nil ? .fine : .missing,
            advice: advice
        )
    }

    /// The version number in a text: `4.1.4` for `Open MPI v4.1.4` and for `mpirun (Open MPI) 4.1.4`.
    private static func versionNumber(_ text: String) -> Substring? {
        text.split { !($0.isNumber || $0 == ".") }.first { $0.contains(".") }
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
            advice: all.isEmpty ? "several ranks need an interface, at least loopback: sudo ip link set lo up" : nil
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
            advice: path == nil ? "to download datasets: \(install ?? "install curl")" : nil
        )
    }

    /// - Parameter isBuiltIn: whether this program was built with libarchive and zlib.
    static func archives(isBuiltIn: Bool) -> Finding {
        let install = Surroundings.installation([
            "apt-get": "libarchive-dev zlib1g-dev", "dnf": "libarchive-devel zlib-devel", "brew": "libarchive",
        ])
        return Finding(
            "libarchive",
            "libarchive",
            isBuiltIn ? "linked" : "not built in",
            .bool(isBuiltIn),
            state: isBuiltIn ? .fine : .missing,
            advice: isBuiltIn
                ? nil
                : "to prepare compressed text and archives: \(install ?? "install libarchive and zlib"), then swift build again"
        )
    }

    /// Checks of the folders of data, runs and downloads.
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
                    advice: "to download datasets: set \(CacheFolder.variable) to a folder, because HOME is not set"
                )
            )
        }
        return findings
    }

    /// - Parameter isNeeded: whether every run needs to write to this folder.
    private func folder(_ key: String, _ path: String, isNeeded: Bool) -> Finding {
        let exists = FileSystem.kind(of: path) == .folder
        let free = try? FileSystem.freeBytes(at: path)
        let isWritable = Surroundings.isWritable(path)
        let isFile = !exists && FileSystem.kind(of: path) != nil
        var text = path + (exists ? "" : isFile ? " (not a folder)" : " (does not exist yet)")
        if let free { text += ", \(ByteCount.text(free)) free" }
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
            advice: isFine ? nil : "the folder is not writable: choose another with \(option)"
        )
    }
}
