import Platform

/// Looks up programs and folders on this machine.
package enum Surroundings {
    /// The path of the first executable with this name in the folders of `path`, which are separated by colons.
    package static func program(_ name: String, path: String? = ProcessEnvironment.value("PATH")) -> String? {
        for folder in (path ?? "").split(separator: ":") {
            let candidate = "\(folder)/\(name)"
            if FileSystem.kind(of: candidate) == .file, access(candidate, X_OK) == 0 { return candidate }
        }
        return nil
    }

    /// The first line that `program --version` writes to standard output; nil if it writes none.
    package static func firstLine(ofVersion program: String) -> String? {
        guard let output = popen("\(program.shellQuoted) --version 2>/dev/null </dev/null", "r") else { return nil }
        defer { pclose(output) }
        var line = [CChar](repeating: 0, count: 512)
        guard fgets(&line, Int32(line.count), output) != nil else { return nil }
        let text = String(decoding: line.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.isEmpty ? nil : text
    }

    /// Whether a file can be created in the folder, or the folder itself can be created.
    package static func isWritable(_ path: String) -> Bool {
        access(FileSystem.nearestFolder(to: path), W_OK | X_OK) == 0
    }

    /// The command that installs a package with this machine's package manager; nil if no known package manager is
    /// present.
    ///
    /// - Parameter packages: the package's name for each package manager (`apt-get`, `dnf`, `brew`).
    package static func installation(
        _ packages: [String: String],
        isPresent: (String) -> Bool = { program($0) != nil }
    ) -> String? {
        for (manager, command) in [
            ("apt-get", "sudo apt-get install"), ("dnf", "sudo dnf install"), ("brew", "brew install"),
        ] {
            if let package = packages[manager], isPresent(manager) { return "\(command) \(package)" }
        }
        return nil
    }
}
