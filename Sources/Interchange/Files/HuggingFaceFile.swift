import Formats
import ModelFiles
import Platform
import Transformer

/// A GPT-2 as saved by Hugging Face's transformers: a folder with `config.json` and `model.safetensors`. Older versions
/// write `pytorch_model.bin`. Large models have several such files and an index that maps tensors to files.
///
/// Tensor names can have the prefixes of wrappers, or lack the prefix `transformer.` as in OpenAI's upload: see
/// `TensorNames`. A checkpoint of this project is such a folder too. In its `config.json`, `bias` false means that the
/// zero biases in the file do not exist in the model.
struct HuggingFaceFile: ModelFile {
    /// The names of weights in the order of precedence in transformers. nanoGPT's ckpt.pt comes between both lists.
    static let modelNames = ["model.safetensors", "model.safetensors.index.json"]
    static let legacyModelNames = ["pytorch_model.bin", "pytorch_model.bin.index.json"]
    static let configurationName = "config.json"

    let descriptionName = configurationName
    let isOutputFirst = false
    private let path: String
    private let description: HuggingFaceConfiguration
    private let files: [TensorFile]
    /// The index in `files` of the file of each tensor.
    private let fileIndexes: [String: Int]
    private let names: TensorNames

    /// Whether there is a config.json in the folder of the weights.
    static func hasDescription(_ path: String) -> Bool {
        FileSystem.kind(of: description(of: path)) == .file
    }

    private static func description(of path: String) -> String {
        FileSystem.folder(of: path) + "/" + configurationName
    }

    /// - Parameters:
    ///   - path: The path of the weights or of the index. The config.json is in the same folder.
    ///   - isIndex: Whether the path is that of an index.
    /// - Throws: `UserError(.inputOutput)` if a file cannot be read, `UserError(.data)` if its content is not valid.
    init(path: String, isIndex: Bool) throws {
        self.path = path
        guard Self.hasDescription(path) else {
            throw UserError(.data, "\(path) needs a \(Self.configurationName) in its folder, but there is none")
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
            throw UserError(.data, "\(path) has no weight_map, which must map tensors to files")
        }
        var files: [TensorFile] = []
        var numbers: [String: Int] = [:]
        var fileIndexes: [String: Int] = [:]
        for member in members {
            // The file must be in the folder of the index.
            guard let name = member.value.stringValue, !name.isEmpty, !name.contains("/"), name != "..", name != "."
            else {
                throw UserError(
                    .data,
                    "\(path): weight_map has \(member.value.text()) for \(member.name), which is not a file name"
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
                    "\(files[number].path) has no tensor \(member.name), but \(path) lists it there"
                )
            }
            fileIndexes[member.name] = number
        }
        // Adds tensors that the files contain but the index does not list, such as an untied output head.
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
