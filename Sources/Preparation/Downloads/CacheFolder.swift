import Platform

/// The folder that keeps downloads.
public enum CacheFolder {
    /// The environment variable with the path of the folder. An empty value counts as not set.
    public static let variable = "DDP_TRAIN_CACHE"

    /// Returns the path in `DDP_TRAIN_CACHE` if it is set, else the user's cache folder: `~/Library/Caches/ddp-train`
    /// on macOS, `$XDG_CACHE_HOME/ddp-train` or `~/.cache/ddp-train` on other systems. The folder may not exist yet.
    ///
    /// - Parameter environment: The environment variables to read.
    /// - Throws: `UserError(.usage)` if none of these variables is set.
    public static func path(environment: [String: String] = ProcessEnvironment.variables) throws -> String {
        func value(_ name: String) -> String? {
            environment[name].flatMap { $0.isEmpty ? nil : $0 }
        }
        if let path = value(variable) { return path }
        #if os(macOS)
            if let home = value("HOME") { return home + "/Library/Caches/ddp-train" }
        #else
            // The XDG specification requires that a relative path is ignored.
            if let cache = value("XDG_CACHE_HOME"), cache.hasPrefix("/") { return cache + "/ddp-train" }
            if let home = value("HOME") { return home + "/.cache/ddp-train" }
        #endif
        throw UserError(.usage, "cannot find the cache folder, because HOME is not set; set \(variable) to a folder")
    }
}
