import Formats

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// A rank's eye on its launcher: a pipe whose other end only the launcher holds, and which hangs up however that ends.
public enum ParentWatch {
    /// The variable that names the pipe's descriptor.
    public static let variable = "DDP_TRAIN_PARENT_FD"

    /// In a process that a launcher started, sees to it that the process leaves with code 69 as soon as the launcher is
    /// gone, whatever its other threads do. In any other process it does nothing.
    public static func start() {
        guard let text = ProcessInfo.processInfo.environment[variable], let descriptor = Int32(text) else { return }
        // The variable may have come without the pipe.
        var information = stat()
        guard fstat(descriptor, &information) == 0, information.st_mode & mode_t(S_IFMT) == mode_t(S_IFIFO) else {
            return
        }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        #if canImport(Darwin)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        // Signals are for the thread that trains; a new thread blocks those that its maker does.
        var all = sigset_t()
        var before = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        let failure = pthread_create(
            &thread,
            &attributes,
            waitForHangUp,
            UnsafeMutableRawPointer(bitPattern: Int(descriptor))
        )
        precondition(failure == 0, "pthread_create failed with \(failure)")
    }
}

#if canImport(Darwin)
    private typealias ThreadArgument = UnsafeMutableRawPointer
#else
    private typealias ThreadArgument = UnsafeMutableRawPointer?
#endif

private func waitForHangUp(_ descriptor: ThreadArgument) -> UnsafeMutableRawPointer? {
    let pipe = Int32(truncatingIfNeeded: Int(bitPattern: descriptor))
    // Nothing is ever written to it: its end is the launcher's. (To poll it for nothing but a hang-up is not enough on macOS.)
    var byte: UInt8 = 0
    while true {
        let count = read(pipe, &byte, 1)
        if count == 0 || count < 0 && errno != EINTR { break }
    }
    // Nobody is left to be told, and another thread may be blocked for good.
    _exit(UserError.Kind.network.rawValue)
}
