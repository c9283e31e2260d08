// Members of C structures whose names or types differ between systems.

extension stat {
    /// When the file's content was last changed.
    package var modificationTime: timespec {
        #if canImport(Darwin)
            st_mtimespec
        #else
            st_mtim
        #endif
    }
}

extension sigaction {
    /// Whether a signal does nothing.
    package var isIgnored: Bool {
        #if canImport(Glibc)
            let handler = __sigaction_handler.sa_handler
        #elseif canImport(Musl)
            let handler = __sa_handler.sa_handler
        #else
            let handler = __sigaction_u.__sa_handler
        #endif
        return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// Sets the function that a signal calls.
    package mutating func setHandler(_ handler: @escaping @convention(c) (Int32) -> Void) {
        #if canImport(Glibc)
            __sigaction_handler.sa_handler = handler
        #elseif canImport(Musl)
            __sa_handler.sa_handler = handler
        #else
            __sigaction_u.__sa_handler = handler
        #endif
    }
}

extension winsize {
    /// The size of the terminal that a descriptor is connected to; nil if it is none.
    package init?(ofTerminal descriptor: Int32) {
        #if canImport(Darwin)
            // _IOR('t', 104, struct winsize), which Swift cannot import.
            let request: UInt = 0x4008_7468
        #else
            let request = UInt(TIOCGWINSZ)
        #endif
        self.init()
        guard ioctl(descriptor, request, &self) == 0 else { return nil }
    }
}
