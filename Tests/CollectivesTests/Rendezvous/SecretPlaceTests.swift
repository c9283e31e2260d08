import Platform
import Testing

@testable import Collectives

@Suite("Where a secret's file lies")
struct SecretPlaceTests {
    private func place(
        _ point: String,
        _ type: String = "tmpfs",
        _ options: Set<String> = ["ro"],
        container: Bool = true
    )
        -> SecretPlace
    {
        SecretPlace(mount: Mount(id: 1, point: point, type: type, options: options), isContainer: container)
    }

    @Test("What only its owner may read needs no place", arguments: [0o600, 0o400, 0o700] as [mode_t])
    func own(mode: mode_t) {
        #expect(SecretPlace(mount: nil, isContainer: false).access(mode: mode, owner: 1000) == .none)
    }

    @Test(
        "Root's files in a container's own memory are accepted with a notice",
        arguments: [0o440, 0o444, 0o640, 0o644] as [mode_t]
    )
    func accepted(mode: mode_t) {
        let places = [
            place("/run/secrets"), place("/run/secrets/job", "tmpfs", ["rw"]),
            place("/var/run/secrets", "ramfs", ["rw"]),
            place("/etc/job-secret"),
        ]
        for place in places {
            guard case .privateMount(let notice) = place.access(mode: mode, owner: 0) else {
                Issue.record("refused: \(place)")
                continue
            }
            #expect(notice.contains("mode 0" + String(mode, radix: 8)) && notice.contains(place.mount!.point))
        }
    }

    @Test("Everywhere else they are refused with the reason")
    func refused() {
        let places = [
            // Of the machine, not of a container.
            place("/run/secrets", container: false), place("/etc/job-secret", container: false),
            // Everybody's memory, disks, and memory that others may write to.
            place("/run"), place("/tmp"), place("/dev/shm"), place("/", "overlay"), place("/run/secrets", "ext4"),
            place("/data", "tmpfs", ["rw"]), place("/run/secrets-not", "tmpfs", ["rw"]),
            SecretPlace(mount: nil, isContainer: true),
        ]
        for place in places {
            guard case .open(let reason) = place.access(mode: 0o444, owner: 0) else {
                Issue.record("accepted: \(place)")
                continue
            }
            #expect(reason.contains("mode 0444 lets others read it") && reason.contains(place.name), "\(reason)")
        }
        let foreign = place("/run/secrets").access(mode: 0o444, owner: 1000)
        #expect(foreign == .open(reason: "mode 0444 lets others read it, and it is user 1000's and not root's"))
        for mode: mode_t in [0o660, 0o602, 0o441] {
            let access = place("/run/secrets").access(mode: mode, owner: 0)
            #expect(access == .open(reason: "mode 0\(String(mode, radix: 8)) lets others change or run it"))
        }
    }

    @Test(
        "An open file's mount is found, whatever links led to it",
        .enabled(if: FileSystem.kind(of: "/proc/self/fdinfo") == .folder)
    )
    func openFile() throws {
        let descriptor = open("/proc/self/status", O_RDONLY | O_CLOEXEC)
        defer { close(descriptor) }
        let place = SecretPlace.of(descriptor: descriptor, environment: ["KUBERNETES_SERVICE_HOST": "10.0.0.1"])
        #expect(place.mount?.type == "proc" && place.mount?.point == "/proc")
        #expect(place.isContainer)
    }
}
