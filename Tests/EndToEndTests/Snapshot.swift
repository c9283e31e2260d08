import Foundation
import Testing

/// Text that was agreed on, in `Snapshots`: a change of a word is seen in review.
///
/// After a change that is wanted, the tests run with `DDP_TRAIN_RENEW_SNAPSHOTS=1` write it anew, and fail once.
enum Snapshot {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Snapshots")
    private static let renews = ProcessInfo.processInfo.environment["DDP_TRAIN_RENEW_SNAPSHOTS"] == "1"

    /// Holds a text against the file of that name below `Snapshots`.
    static func expect(
        _ text: String,
        in name: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let file = folder.appending(path: name)
        if renews {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(),
                withIntermediateDirectories: true
            )
            try text.write(to: file, atomically: true, encoding: .utf8)
            Issue.record("\(name) was written anew", sourceLocation: sourceLocation)
            return
        }
        let agreed = try String(contentsOf: file, encoding: .utf8)
        guard text != agreed else { return }
        let changes = text.split(separator: "\n").difference(from: agreed.split(separator: "\n")).map { change in
            switch change {
            case .insert(_, let line, _): "+ \(line)"
            case .remove(_, let line, _): "- \(line)"
            }
        }
        Issue.record("\(name) has changed:\n\(changes.joined(separator: "\n"))", sourceLocation: sourceLocation)
    }
}
