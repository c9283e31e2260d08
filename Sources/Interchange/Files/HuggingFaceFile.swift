import Formats
import ModelFiles
import Platform
import Transformer

/// A GPT-2 as Hugging Face's transformers saves it: `config.json` beside `model.safetensors`, or beside several files
/// of which `model.safetensors.index.json` says which tensor is in which.
///
/// Tensor names may lack the `transformer.` prefix, as in OpenAI's own upload. A checkpoint of this project is such a
/// folder too; the key `bias` of its `config.json` says when the zero biases in the file do not exist in the model.
struct HuggingFaceFile: ModelFile {
    static let modelName = "model.safetensors"
    static let indexName = "model.safetensors.index.json"
    static let configurationName = "config.json"

    let configuration: GPTConfiguration
    let descriptionName = configurationName
    let isOutputFirst = false
    private let path: String
    private let files: [SafetensorsFile]
    /// The file of each tensor, as an index into `files`.
    private let places: [String: Int]
    /// `transformer.` or nothing.
    private let prefix: String

    /// - Parameter path: of the weights, or of the index; the description lies beside it.
    /// - Throws: `UserError(.inputOutput)` when a file cannot be read, `UserError(.data)` that says what is wrong
    ///   with it.
    init(path: String, isIndex: Bool) throws {
        self.path = path
        let folder = FileSystem.folder(of: path)
        let description = folder + "/" + Self.configurationName
        guard FileSystem.kind(of: description) == .file else {
            throw UserError(.data, "\(path) has no \(Self.configurationName) beside it, which says what model it is")
        }
        configuration = try HuggingFaceConfiguration.read(description)
        if isIndex {
            (files, places) = try Self.shards(index: path)
        } else {
            let file = try SafetensorsFile(path: path)
            files = [file]
            places = file.tensors.mapValues { _ in 0 }
        }
        prefix = places.keys.contains { $0.hasPrefix(Self.standardPrefix) } ? Self.standardPrefix : ""
    }

    private static func shards(index path: String) throws -> (files: [SafetensorsFile], places: [String: Int]) {
        guard let members = try JSONValue(ofFile: path)["weight_map"]?.objectValue else {
            throw UserError(.data, "\(path) has no weight_map, which says which tensor is in which file")
        }
        var files: [SafetensorsFile] = []
        var numbers: [String: Int] = [:]
        var places: [String: Int] = [:]
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
                files.append(try SafetensorsFile(path: FileSystem.folder(of: path) + "/" + name))
                numbers[name] = files.count - 1
            }
            let number = numbers[name]!
            guard files[number].tensors[member.name] != nil else {
                throw UserError(
                    .data,
                    "\(files[number].path) has no tensor \(member.name), which \(path) says is there"
                )
            }
            places[member.name] = number
        }
        return (files, places)
    }

    var tensorNames: [String] { Array(places.keys) }

    func ownName(of name: String) -> String {
        // The head stands beside the transformer, not in it.
        name.hasPrefix(Self.standardPrefix) ? prefix + name.dropFirst(Self.standardPrefix.count) : name
    }

    func path(ofTensor name: String) -> String { places[name].map { files[$0].path } ?? path }

    func tensor(named name: String) throws -> StoredTensor? {
        guard let place = places[name], let entry = files[place].tensors[name] else { return nil }
        return StoredTensor(
            shape: entry.shape,
            encoding: try files[place].encoding(of: name, entry),
            bytes: files[place].bytes(of: entry)
        )
    }

    private static let standardPrefix = "transformer."
}
