import Platform
import Training

/// Checks that a page may be written to a path. Files that ddp-train did not create are replaced only with
/// `--overwrite`.
package enum PageDestination {
    /// - Parameter overwrite: whether a file that ddp-train did not create may be replaced.
    /// - Throws: `UserError(.usage)` if the path is such a file, or not a regular file.
    package static func check(_ path: String, overwrite: Bool) throws {
        try check(path, isOwn: RunFiles.isPage(path), overwrite: overwrite)
    }

    /// Checks a page and the JSON file beside it: `page.html` and `page.json`.
    ///
    /// - Returns: the path of the JSON file.
    /// - Throws: the errors of `check`, and `UserError(.usage)` if the page's name does not end with `.html`.
    package static func checkWithNumbers(_ path: String, overwrite: Bool) throws -> String {
        guard path.hasSuffix(".html") else {
            throw UserError(
                .usage,
                "--out=\(path): the name must end with .html; the numbers are written to a .json file beside the page"
            )
        }
        let isOwn = RunFiles.isPage(path)
        let numbers = String(path.dropLast(".html".count)) + ".json"
        try check(path, isOwn: isOwn, overwrite: overwrite)
        try check(numbers, isOwn: isOwn, overwrite: overwrite)
        return numbers
    }

    private static func check(_ path: String, isOwn: Bool, overwrite: Bool) throws {
        switch FileSystem.kind(of: path) {
        case nil: return
        case .file:
            guard overwrite || isOwn else {
                throw UserError(
                    .usage,
                    "\(path) was not made by ddp-train: choose another --out, or replace it with --overwrite"
                )
            }
        case .folder, .other:
            throw UserError(.usage, "\(path) is not a regular file: choose another --out")
        }
    }
}
