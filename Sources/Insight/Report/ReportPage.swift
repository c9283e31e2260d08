import Formats
import Platform
import Training

/// Writes the page of one run, or one page that compares several runs.
package enum ReportPage {
    package struct Result {
        /// The page's path.
        package let path: String
        /// The page's data.
        package let data: JSONValue
        /// Warnings about the runs' files, one line each.
        package let notices: [String]
    }

    /// The maximum number of runs per page. The lines of more runs cannot be distinguished.
    package static let runLimit = 50

    /// Reads runs and writes their page.
    ///
    /// - Parameters:
    ///   - path: the page's path; nil means `report.html` in the run's folder, or in the current folder for several
    ///     runs.
    ///   - overwrite: whether a file that ddp-train did not create may be replaced.
    /// - Throws: `UserError(.usage)` if `path` must not be replaced, `.data` for a run without logged data, and
    ///   `.inputOutput` if a run does not exist or a file cannot be read or written.
    package static func write(_ folders: [String], to path: String?, overwrite: Bool) throws -> Result {
        guard folders.count <= runLimit else {
            throw UserError(.usage, "\(folders.count) runs are too many for one page: give at most \(runLimit)")
        }
        let own = folders.count == 1 ? RunFiles(folder: folders[0]).report : nil
        let path = path ?? own ?? "report.html"
        let records = try folders.map {
            try RunRecord.open($0, pointLimit: max(100, ThinnedSeries.defaultLimit / folders.count))
        }
        try PageDestination.check(path, overwrite: overwrite)
        let statuses = records.map { $0.status(isHeld: $0.files.isHeld) }
        // A running run keeps updating its own page, so the browser may reload it.
        let isRunning = path == own && statuses == [.running]
        let data = data(zip(records, statuses).map { $0.json(status: $1) }, records)
        let title = records.count == 1 ? records[0].title : "\(records.count) runs"
        try write(title: title, data: data, reload: isRunning ? reloadSeconds : nil, to: path)
        return Result(path: path, data: data, notices: records.flatMap(\.allNotices))
    }

    /// The number of seconds after which a browser reloads the page of a running run.
    static let reloadSeconds = 10

    static func data(_ runs: [JSONValue], _ records: [RunRecord]) -> JSONValue {
        .object([
            .init("written", .integer(Int(time(nil)))),
            .init("runs", .array(runs)),
            .init("differences", .array(differences(records))),
        ])
    }

    static func write(title: String, data: JSONValue, reload: Int?, to path: String) throws {
        let page = HTMLPage(title: title, script: PackageResources.report_js, data: data, reload: reload)
        let file = try AtomicFile(path: path)
        try file.append(page.text)
        try file.commit(durable: false)
    }

    /// The options in which the runs differ, except `out_dir`, with each run's value.
    private static func differences(_ records: [RunRecord]) -> [JSONValue] {
        guard records.count > 1 else { return [] }
        let values = records.map { record in
            Dictionary((record.configuration?.entries ?? []).map { ($0.name, $0.value) }) { $1 }
        }
        let names = (records.first { $0.configuration != nil })?.configuration?.entries.map(\.name) ?? []
        return names.filter { name in name != "out_dir" && Set(values.map { $0[name] }).count > 1 }.map { name in
            .object([
                .init("name", .string(name)),
                .init("values", .array(values.map { $0[name].map { .string($0) } ?? .null })),
            ])
        }
    }
}
