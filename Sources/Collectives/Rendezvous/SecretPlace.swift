import Platform

/// Where the file of a secret lies, and so who may read what its mode lets everybody read.
///
/// Docker and Kubernetes give containers secrets as files of root that everybody may read (modes 0444, 0440, 0644), in memory, on
/// a mount that no one but the container has.
struct SecretPlace {
    /// The file system that holds the file; nil where the system does not tell.
    var mount: Mount?
    /// Whether this process is in a container.
    var isContainer: Bool

    /// Of an open file, whatever links led to it: Kubernetes gives secrets by links through a folder `..data`.
    static func of(descriptor: Int32, environment: [String: String]) -> SecretPlace {
        let mounts = Mount.all()
        let number = SystemFile.lines("/proc/self/fdinfo/\(descriptor)").first { $0.hasPrefix("mnt_id:") }
            .flatMap { Int($0.dropFirst("mnt_id:".count).drop(while: \.isWhitespace)) }
        let marks = ["/.dockerenv", "/run/.containerenv"]
        return SecretPlace(
            mount: mounts.first { $0.id == number },
            isContainer: environment["KUBERNETES_SERVICE_HOST"] != nil
                || marks.contains { FileSystem.kind(of: $0) != nil }
                || mounts.last { $0.point == "/" }?.type == "overlay"
        )
    }

    /// Folders that a system keeps in memory for all its users.
    private static let shared: Set<String> = ["/", "/dev", "/dev/shm", "/run", "/run/lock", "/tmp", "/var/tmp"]

    /// Whether the file lies in memory, on a mount of its own that is read-only or docker's place for secrets, in a container.
    var isPrivate: Bool {
        guard isContainer, let mount, ["tmpfs", "ramfs"].contains(mount.type), !Self.shared.contains(mount.point) else {
            return false
        }
        let isPlaceForSecrets = ["/run/secrets", "/var/run/secrets"].contains {
            mount.point == $0 || mount.point.hasPrefix($0 + "/")
        }
        return isPlaceForSecrets || mount.options.contains("ro")
    }

    /// As in "the tmpfs at /run/secrets".
    var name: String { mount.map { "the \($0.type) at \($0.point)" } ?? "an unknown file system" }

    /// What others may do to a file.
    enum Access: Equatable {
        case none
        /// They may read it and cannot come to it: what a user should know.
        case privateMount(notice: String)
        /// They may read or change it, and why.
        case open(reason: String)
    }

    /// - Parameters:
    ///   - mode: the file's permissions.
    ///   - owner: the number of the user who has the file.
    func access(mode: mode_t, owner: uid_t) -> Access {
        let others = mode & 0o077
        guard others != 0 else { return .none }
        let text = "mode 0" + String(mode & 0o7777, radix: 8)
        guard others & 0o033 == 0 else { return .open(reason: "\(text) lets others change or run it") }
        guard owner == 0 else {
            return .open(reason: "\(text) lets others read it, and it is user \(owner)'s and not root's")
        }
        guard isPrivate else {
            return .open(
                reason: "\(text) lets others read it, and \(name) is no mount that a container alone has for secrets"
            )
        }
        return .privateMount(notice: "accepted with \(text), as it is root's and this container alone has \(name)")
    }
}
