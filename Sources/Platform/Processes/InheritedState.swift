/// The state that a process inherits from its parent, such as descriptors and ignored signals.
public enum InheritedState {
    /// Repairs inherited state. Call this before the process opens or starts anything.
    ///
    /// - A daemon may start programs without descriptors 0 to 2. The first opened file would then get one of them and
    ///   receive printed text.
    /// - A parent may ignore SIGCHLD. The process then could not wait for its own children.
    /// - Writing beyond `ulimit -f` would kill the process with SIGXFSZ. Ignoring the signal turns this into an error.
    public static func repair() {
        openStandardDescriptors()
        signal(SIGCHLD, SIG_DFL)
        signal(SIGXFSZ, SIG_IGN)
        // SIGUSR1 asks a run to stop. Ignore it until a run has started.
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

    /// Exits on signals. As the first process of a container, this process would ignore signals without a handler.
    private static func exitOnSignals() {
        for number in [SIGTERM, SIGINT, SIGHUP] where !EndingSignals.isIgnored(number) {
            signal(number) { _exit(128 + $0) }
        }
    }
}
