#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

/// Flags of `send` that differ between systems.
public enum SocketFlags {
    /// Sending to who has gone is an error then, and does not end the tests' process by SIGPIPE.
    #if canImport(Darwin)
        /// None: macOS has an option of sockets in its place, SO_NOSIGPIPE.
        public static let withoutSignal: Int32 = 0
    #else
        /// MSG_NOSIGNAL.
        public static let withoutSignal = Int32(MSG_NOSIGNAL)
    #endif
}
