import Foundation
import Testing

/// The arrows of the architecture: which target may import which, and no other.
@Suite("Arrows between targets")
struct ArrowsTests {
    private static let arrows: [String: Set<String>] = [
        "Platform": [], "COpenBLAS": [], "CMPI": [], "CArchive": [], "CZlib": [], "CVectorKernels": [],
        "CMPIShim": ["CMPI"], "CArchiveShim": ["CArchive", "CZlib"],
        "ReferenceGPT": ["Platform"],
        "Compute": ["CVectorKernels", "COpenBLAS", "Platform"],
        "Formats": ["CVectorKernels", "Platform"],
        "Transformer": ["Compute", "CVectorKernels", "Platform"],
        "Tokenizers": ["Compute", "Formats", "Platform"],
        "Datasets": ["Tokenizers", "Compute", "Formats", "Platform"],
        "Preparation": ["Datasets", "Tokenizers", "Compute", "Formats", "CArchiveShim", "Platform"],
        "Collectives": ["CMPIShim", "CVectorKernels", "Platform"],
        "Supervision": ["Platform"],
        "Configuration": ["Transformer", "Datasets", "Formats", "Platform"],
        "ModelFiles": ["Transformer", "Compute", "Formats", "Platform"],
        "Training": [
            "Configuration", "ModelFiles", "Transformer", "Datasets", "Tokenizers", "Collectives", "Compute", "Formats",
            "Platform",
        ],
        "Interchange": ["ModelFiles", "Transformer", "Tokenizers", "Compute", "Formats", "Platform"],
        "Performance": [
            "Configuration", "Training", "Collectives", "Transformer", "Preparation", "Datasets", "Compute", "Formats",
            "Platform",
        ],
        "Insight": [
            "Configuration", "Training", "Interchange", "Transformer", "Datasets", "Tokenizers", "Compute", "Formats",
            "Platform",
        ],
        // A plugin of the build, which writes the commit into ddp-train.
        "BuildCommit": [],
        "stream-text": ["Interchange", "Tokenizers", "Transformer", "Compute", "Platform"],
        "ddp-train": [
            "Insight", "Performance", "Configuration", "Training", "Supervision", "Interchange", "Transformer",
            "Preparation",
            "Datasets",
            "Tokenizers", "Collectives", "Compute", "Formats", "Platform",
        ],
    ]

    private static let sources = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources")

    @Test("every folder of Sources has its arrows here, and they make no circle")
    func complete() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path)
            .filter { !$0.hasPrefix(".") }
        #expect(Set(folders) == Set(Self.arrows.keys))
        var done: Set<String> = []
        while let next = Self.arrows.first(where: { !done.contains($0.key) && $0.value.isSubset(of: done) }) {
            done.insert(next.key)
        }
        #expect(done.count == Self.arrows.count, "a circle among \(Set(Self.arrows.keys).subtracting(done))")
    }

    @Test("a file imports only what its target may", arguments: arrows.keys.sorted())
    func imports(target: String) throws {
        let folder = Self.sources.appendingPathComponent(target)
        let allowed = try #require(Self.arrows[target])
        let own = Set(Self.arrows.keys)
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        for case let file as URL in files where ["swift", "c", "h", "inc"].contains(file.pathExtension) {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                guard let name = Self.imported(String(line)), own.contains(name), name != target else { continue }
                #expect(allowed.contains(name), "\(target)/\(file.lastPathComponent): \(line)")
            }
        }
    }

    @Test(
        "the numerical targets and Platform do without Foundation",
        arguments: ["Platform", "Transformer", "Compute", "Collectives", "Configuration", "Training"]
    )
    func foundation(target: String) throws {
        let folder = Self.sources.appendingPathComponent(target)
        let files = try #require(FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil))
        for case let file as URL in files where file.pathExtension == "swift" {
            for line in try String(contentsOf: file, encoding: .utf8).split(separator: "\n") {
                #expect(
                    Self.imported(String(line))?.hasPrefix("Foundation") != true,
                    "\(target)/\(file.lastPathComponent)"
                )
            }
        }
    }

    /// The module that a line imports, or whose header it includes.
    private static func imported(_ line: String) -> String? {
        let words = line.split { $0 == " " || $0 == "\t" }.map(String.init)
        if let place = words.firstIndex(of: "import"), place + 1 < words.count,
            words[...place].allSatisfy({ $0 != "//" && $0 != "///" })
        {
            return words[place + 1]
        }
        guard words.first == "#include", words.count > 1 else { return nil }
        return words[1].trimmingCharacters(in: CharacterSet(charactersIn: "\"<>")).components(separatedBy: ".").first
    }
}
