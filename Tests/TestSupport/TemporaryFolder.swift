import Foundation

/// A fresh folder for one test, removed with all that is in it when the test lets go of it.
public final class TemporaryFolder {
    /// Absolute, in the system's folder for such.
    public let path: String

    /// - Throws: when the folder cannot be made.
    public init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("ddp-train-" + UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// The path of a name in the folder.
    public func callAsFunction(_ name: String) -> String { path + "/" + name }

    /// All names in the folder, hidden ones too, sorted.
    public var names: [String] {
        get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
    }
}
