import Platform

/// Where downloads are kept.
public enum CacheFolder {
    /// The environment variable that names the folder; empty counts as not set.
    public static let variable = "DDP_TRAIN_CACHE"

    /// `DDP_TRAIN_CACHE`; else the user's cache folder: `~/Library/Caches/ddp-train` on macOS, `$XDG_CACHE_HOME/ddp-train` or
    /// `~/.cache/ddp-train` elsewhere. It need not exist yet.
    ///
    /// - Throws: `UserError(.usage)` when there is no home folder either.
    public static func path(environment: [String: String] = ProcessEnvironment.variables) throws -> String {
        func value(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        if let path = value(variable) { return path }
        #if os(macOS)
            if let home = value("HOME") { return home + "/Library/Caches/ddp-train" }
        #else
            // The XDG specification says to ignore a relative path here.
            if let cache = value("XDG_CACHE_HOME"), cache.hasPrefix("/") { return cache + "/ddp-train" }
            if let home = value("HOME") { return home + "/.cache/ddp-train" }
        #endif
        throw UserError(.usage, "there is no cache folder, as HOME is not set: name one in \(variable)")
    }
}
