import Platform

enum Descriptor {
    /// A copy from 10 on, closed in children: clear of the numbers under which children are given descriptors.
    ///
    /// - Throws: `UserError(.inputOutput)` when too many files are open.
    static func moved(_ descriptor: Int32) throws -> Int32 {
        let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 10)
        guard copy >= 0 else { throw FileSystem.failure("cannot keep open", "a descriptor for ranks", errno) }
        return copy
    }

    static func makeNonBlocking(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }
}
