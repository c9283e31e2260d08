#if canImport(Darwin)
    import Darwin
#elseif canImport(Musl)
    import Musl
#else
    import Glibc
#endif

public enum SocketFlags {
    /// Sending to who has gone is an error then, and does not end the tests' process by SIGPIPE.
    #if canImport(Darwin)
        public static let withoutSignal: Int32 = 0
    #else
        public static let withoutSignal = Int32(MSG_NOSIGNAL)
    #endif
}
