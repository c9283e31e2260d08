/// What a process has from whoever started it, and cannot rely upon.
public enum InheritedState {
    /// Mends it. To be called before anything is opened or started.
    ///
    /// A daemon may start programs without descriptors 0 to 2: the first file that is opened would become one of them, and
    /// receive what is printed. A parent may ignore the signal of an ended child, whose end nobody could wait for then. A file
    /// that grows beyond `ulimit -f` would kill the process, in place of an error that says so.
    public static func repair() {
        openStandardDescriptors()
        signal(SIGCHLD, SIG_DFL)
        signal(SIGXFSZ, SIG_IGN)
        // It asks a run to stop; before there is one it does nothing.
        signal(SIGUSR1, SIG_IGN)
        if getpid() == 1 { exitOnSignals() }
    }

    private static func openStandardDescriptors() {
        while true {
            let descriptor = open("/dev/null", O_RDWR)
            guard (0...2).contains(descriptor) else {
                if descriptor > 2 { close(descriptor) }
                return
            }
        }
    }

    /// The first process of a container is not ended by a signal that it has no handler for.
    private static func exitOnSignals() {
        for number in [SIGTERM, SIGINT, SIGHUP] where !EndingSignals.isIgnored(number) {
            signal(number) { _exit(128 + $0) }
        }
    }
}
