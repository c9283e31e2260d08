import Formats
import ModelFiles
import Platform
import Transformer

/// A GPT-2 as Hugging Face's transformers saves it: `config.json` beside `model.safetensors` or, of older versions,
/// `pytorch_model.bin`; or beside several such files, and an index that says which tensor is in which.
///
/// Tensor names may be wrapped, or lack the `transformer.` prefix as in OpenAI's own upload: see `TensorNames`. A checkpoint of this project is such a
/// folder too; the key `bias` of its `config.json` says when the zero biases in the file do not exist in the model.
struct HuggingFaceFile: ModelFile {
    /// In the order in which transformers looks for them; nanoGPT's ckpt.pt is looked for between them.
    static let modelNames = ["model.safetensors", "model.safetensors.index.json"]
    static let legacyModelNames = ["pytorch_model.bin", "pytorch_model.bin.index.json"]
    static let configurationName = "config.json"

    let descriptionName = configurationName
    let isOutputFirst = false
    private let path: String
    private let description: HuggingFaceConfiguration
    private let files: [TensorFile]
    /// The file of each tensor, as an index into `files`.
    private let fileIndexes: [String: Int]
    private let names: TensorNames

    /// Whether a description lies beside weights.
    static func hasDescription(_ path: String) -> Bool {
        FileSystem.kind(of: description(of: path)) == .file
    }

    private static func description(of path: String) -> String {
        FileSystem.folder(of: path) + "/" + configurationName
    }

    /// - Parameter path: of the weights, or of the index; the description lies beside it.
    /// - Throws: `UserError(.inputOutput)` when a file cannot be read, `UserError(.data)` that says what is wrong
    ///   with it.
    init(path: String, isIndex: Bool) throws {
        self.path = path
        guard Self.hasDescription(path) else {
            throw UserError(.data, "\(path) has no \(Self.configurationName) beside it, which says what model it is")
        }
        description = try HuggingFaceConfiguration(path: Self.description(of: path))
        if isIndex {
            (files, fileIndexes) = try Self.shards(index: path)
        } else {
            let file = try TensorFile(path: path)
            files = [file]
            fileIndexes = Dictionary(uniqueKeysWithValues: file.names.map { ($0, 0) })
        }
        names = try TensorNames(Array(fileIndexes.keys), path: path)
    }

    private static func shards(index path: String) throws -> (files: [TensorFile], fileIndexes: [String: Int]) {
        guard let members = try JSONValue(ofFile: path)["weight_map"]?.objectValue else {
            throw UserError(.data, "\(path) has no weight_map, which says which tensor is in which file")
        }
        var files: [TensorFile] = []
        var numbers: [String: Int] = [:]
        var fileIndexes: [String: Int] = [:]
        for member in members {
            // A name in the same folder, and none that leads out of it.
            guard let name = member.value.stringValue, !name.isEmpty, !name.contains("/"), name != "..", name != "."
            else {
                throw UserError(
                    .data,
                    "\(path): weight_map has \(member.value.text()) for \(member.name), which is no name of a file"
                )
            }
            if numbers[name] == nil {
                files.append(try TensorFile(path: FileSystem.folder(of: path) + "/" + name))
                numbers[name] = files.count - 1
            }
            let number = numbers[name]!
            guard files[number].has(member.name) else {
                throw UserError(
                    .data,
                    "\(files[number].path) has no tensor \(member.name), which \(path) says is there"
                )
            }
            fileIndexes[member.name] = number
        }
        // An index may leave out what a file has nevertheless, such as a head of its own.
        for (number, file) in files.enumerated() {
            for name in file.names where fileIndexes[name] == nil { fileIndexes[name] = number }
        }
        return (files, fileIndexes)
    }

    var configuration: GPTConfiguration { description.model }
    var notices: [String] { description.notices }
    var tensorNames: [String] { Array(fileIndexes.keys) }

    func queryFactor(inLayer layer: Int) -> Double { description.queryFactor(inLayer: layer) }

    func storedName(of name: String) -> String { names(name) }

    func path(ofTensor name: String) -> String { fileIndexes[name].map { files[$0].path } ?? path }

    func tensor(named name: String) throws -> StoredTensor? {
        try fileIndexes[name].flatMap { try files[$0].tensor(named: name) }
    }
}
