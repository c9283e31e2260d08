/// The limit of open files of this process.
package enum OpenFileLimit {
    /// Raises the limit to `count`, or to the maximum that the system allows.
    package static func raise(to count: Int) {
        var limit = rlimit()
        #if canImport(Glibc)
            let files = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let files = RLIMIT_NOFILE
        #endif
        guard getrlimit(files, &limit) == 0, limit.rlim_cur < rlim_t(count) else { return }
        limit.rlim_cur = min(rlim_t(count), limit.rlim_max)
        setrlimit(files, &limit)
    }
}
