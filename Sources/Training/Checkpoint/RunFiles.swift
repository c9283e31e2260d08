import Configuration
import Platform

/// What a run writes, by its places in `out_dir`, for those who look at runs.
public struct RunFiles: Sendable {
    /// `out_dir`.
    public let folder: String

    /// All that belongs to a run, by its names there.
    enum Name: String, CaseIterable {
        case configuration = "config.toml"
        case metrics = "metrics.jsonl"
        case samples
        case tensorBoard = "tensorboard"
        case checkpoints
        case report = "report.html"
    }

    /// The folder need not exist.
    public init(folder: String) { self.folder = folder }

    /// Path of metrics.jsonl, an event a line.
    public var metrics: String { path(.metrics) }
    /// Path of config.toml.
    public var configuration: String { SavedConfiguration.path(outDir: folder) }
    /// Path of the folder of samples, a text file each.
    public var samples: String { path(.samples) }
    /// Path of the folder of TensorBoard's events.
    public var tensorBoard: String { path(.tensorBoard) }
    /// Path of report.html.
    public var report: String { path(.report) }

    func path(_ name: Name) -> String { folder + "/" + name.rawValue }

    /// Stands near the beginning of every page that this program makes.
    public static let pageMark = "<meta name=\"generator\" content=\"ddp-train\">"

    /// Whether a file is a page that this program has made, which may be replaced; another one is its owner's.
    public static func isPage(_ path: String) -> Bool {
        guard let file = try? MappedFile(path: path) else { return false }
        return String(decoding: file.bytes.prefix(1000), as: UTF8.self).contains(pageMark)
    }

    /// Whether there is what a run begins by writing.
    public var isRun: Bool {
        FileSystem.kind(of: metrics) == .file || FileSystem.kind(of: configuration) == .file
            || FileSystem.kind(of: path(.checkpoints)) == .folder
    }

    /// How to use a model that lies where a run is expected: another tool's, or a checkpoint's folder. Nil where there is none.
    var otherModelHint: String? {
        let path: String
        if FileSystem.kind(of: folder) == .file {
            path = folder
        } else {
            // In a folder of Hugging Face the whole folder is the model.
            let names = [
                "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "ckpt.pt", "model.bin",
            ]
            guard let name = names.first(where: { FileSystem.kind(of: folder + "/" + $0) == .file }) else { return nil }
            path = ["ckpt.pt", "model.bin"].contains(name) ? folder + "/" + name : folder
        }
        return "\(path) is a model and no run of ddp-train; use it with --init_from=\(path)"
    }

    /// - Throws: `UserError(.inputOutput)` when there is no folder or another tool's model, and so nothing to resume.
    public func checkResume() throws {
        let hint = isRun ? nil : otherModelHint
        guard FileSystem.kind(of: folder) != .folder || hint != nil else { return }
        throw UserError(.inputOutput, "nothing to resume: \(hint ?? "there is no folder \(folder); check --out_dir")")
    }
}
