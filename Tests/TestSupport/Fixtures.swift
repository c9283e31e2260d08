import Foundation

/// Tests/Fixtures, where each folder has the script that made it.
public enum Fixtures {
    /// The path of a file or folder there.
    public static func path(_ name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Fixtures/\(name)").path
    }
}
