import Formats
import Platform
import Training

/// The page of a run, or of several laid over each other.
package enum ReportPage {
    /// What was made of runs: the page's data, and what a user should know.
    package struct Result {
        /// Where the page was written.
        package let path: String
        /// The JSON within the page.
        package let data: JSONValue
        /// What the user should know of the runs' files, a line each.
        package let notices: [String]
    }

    /// Runs on one page at most: more lines than that nobody tells apart.
    package static let runLimit = 50

    /// Reads runs and writes their page.
    ///
    /// - Parameters:
    ///   - path: of the page; nil means `report.html` in the folder of the one run, and in the current one for several.
    ///   - overwrite: whether a file that this program did not make is replaced.
    /// - Throws: `UserError(.usage)` for a place that may not be written, `.data` for a run that has logged nothing,
    ///   `.inputOutput` for what is not there or cannot be written.
    package static func write(_ folders: [String], to path: String?, overwrite: Bool) throws -> Result {
        guard folders.count <= runLimit else {
            throw UserError(.usage, "\(folders.count) runs are too many for one page: name at most \(runLimit)")
        }
        let own = folders.count == 1 ? RunFiles(folder: folders[0]).report : nil
        let path = path ?? own ?? "report.html"
        let records = try folders.map {
            try RunRecord.open($0, pointLimit: max(100, ThinnedSeries.defaultLimit / folders.count))
        }
        try PageDestination.check(path, overwrite: overwrite)
        let statuses = records.map { $0.status(isHeld: $0.files.isHeld) }
        // The run itself writes that file again.
        let isRunning = path == own && statuses == [.running]
        let data = data(zip(records, statuses).map { $0.json(status: $1) }, records)
        let title = records.count == 1 ? records[0].title : "\(records.count) runs"
        try write(title: title, data: data, reload: isRunning ? reloadSeconds : nil, to: path)
        return Result(path: path, data: data, notices: records.flatMap(\.allNotices))
    }

    /// How often a browser asks for the page of a run that goes on.
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

    /// The options in which runs differ, with the value of each; where they write is none of them.
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
