import Platform

/// A rank's eye on its launcher: a pipe whose other end only the launcher holds, and which hangs up however that ends.
public enum ParentWatch {
    /// The variable that names the pipe's descriptor.
    public static let variable = "DDP_TRAIN_PARENT_FD"

    /// Whether a launcher started this process, which then says what concerns the whole job.
    public static var isUnderLauncher: Bool { ProcessEnvironment.value(variable) != nil }

    /// In a process that a launcher started, sees to it that the process leaves with code 69 as soon as the launcher is
    /// gone, whatever its other threads do. In any other process it does nothing.
    public static func start() {
        guard let text = ProcessEnvironment.value(variable), let descriptor = Int32(text) else { return }
        // The variable may have come without the pipe.
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & mode_t(S_IFMT) == mode_t(S_IFIFO) else {
            return
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = SystemThread(blocking: .all) { leaveAtHangUp(of: descriptor) }
    }

    private static func leaveAtHangUp(of pipe: Int32) {
        // Nothing is ever written to it: its end is the launcher's. (To poll it for nothing but a hang-up is not enough on
        // macOS.)
        var byte: UInt8 = 0
        while true {
            let count = read(pipe, &byte, 1)
            if count == 0 || count < 0 && errno != EINTR { break }
        }
        // Nobody is left to be told, and another thread may be blocked for good.
        _exit(UserError.Kind.network.rawValue)
    }
}
