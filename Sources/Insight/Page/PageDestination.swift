import Platform
import Training

/// Where a page may be written: what somebody else made is not replaced unasked.
package enum PageDestination {
    /// - Parameter overwrite: whether a file that this program did not make is replaced.
    /// - Throws: `UserError(.usage)` for a file that is not a page of this program, and for what is no file.
    package static func check(_ path: String, overwrite: Bool) throws {
        try check(path, isOwn: RunFiles.isPage(path), overwrite: overwrite)
    }

    /// The same for a page with its numbers in a file beside it: `page.html` and `page.json`.
    ///
    /// - Returns: the path of the numbers.
    /// - Throws: as `check`, and when the page's name does not end with `.html`.
    package static func checkWithNumbers(_ path: String, overwrite: Bool) throws -> String {
        guard path.hasSuffix(".html") else {
            throw UserError(
                .usage,
                "--out=\(path): the page is a file NAME.html, and its numbers go to NAME.json beside it"
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
                    "\(path) is not a page that ddp-train has made: choose another --out, or replace it with --overwrite"
                )
            }
        case .folder, .other:
            throw UserError(.usage, "\(path) is not a file, and is not replaced: choose another --out")
        }
    }
}
