import Compute
import Formats
import ModelFiles
import Platform
import Tokenizers
import Transformer

/// A folder with the state of a run after some iteration, verified by hashes.
///
/// | file | content |
/// | --- | --- |
/// | model.safetensors | the parameters under Hugging Face's names, with zero biases where the model has none |
/// | config.json, tokenizer.json, tokenizer_config.json | what transformers needs to load the folder |
/// | optimizer.safetensors | what the optimizer keeps of each parameter, as `SLOT.NAME`, such as `exp_avg.NAME` |
/// | state.json | `CheckpointState`, the SHA-256 of every other file, and a hash of the members before it |
public struct Checkpoint: Sendable {
    /// The path that it was opened with.
    public let folder: String
    /// Read when it was opened.
    public let state: CheckpointState
    /// SHA-256 of each file by name.
    let hashes: [String: String]
    /// Whether all files have been compared with their hashes, so that loading does not read them twice.
    private var isVerified = false

    static let modelFile = "model.safetensors"
    static let optimizerFile = "optimizer.safetensors"
    static let stateFile = "state.json"

    /// Reads `state.json`; the other files are read and verified when they are loaded.
    ///
    /// - Throws: `UserError(.inputOutput)` when there is no `state.json`, `UserError(.data)` when it is damaged.
    public init(folder: String) throws {
        self.folder = folder
        let path = folder + "/" + Self.stateFile
        guard FileSystem.kind(of: path) == .file else {
            throw UserError(.inputOutput, "\(folder) is not a checkpoint: it has no \(Self.stateFile)")
        }
        (state, hashes) = try CheckpointState.read(try JSONValue(ofFile: path), path: path)
    }

    /// The content of `state.json`.
    public var description: JSONValue { state.json(files: hashes) }

    /// Whether the folder has a state.json; nothing is read.
    public static func isCheckpoint(_ folder: String) -> Bool {
        FileSystem.kind(of: folder + "/" + stateFile) == .file
    }

    /// Names of the files beside `state.json`, those that every checkpoint has included.
    var fileNames: [String] { Set(hashes.keys).union([Self.modelFile, Self.optimizerFile]).sorted() }

    /// Compares every file with its hash, and the folder's name with the iteration it holds.
    ///
    /// - Returns: the same checkpoint, whose files are not compared again when they are loaded.
    /// - Throws: `UserError(.data)` that names the file that is missing or differs.
    @discardableResult
    public func verify() throws -> Checkpoint {
        if let named = CheckpointName.iteration(ofName: FileSystem.lastComponent(of: folder)), named != state.iteration
        {
            throw UserError(.data, "\(folder) holds iteration \(state.iteration)")
        }
        for name in fileNames { try verify(name) }
        var verified = self
        verified.isVerified = true
        return verified
    }

    private func verify(_ name: String) throws {
        if isVerified { return }
        let path = folder + "/" + name
        guard let expected = hashes[name] else {
            throw UserError(.data, "\(folder)/\(Self.stateFile) has no hash of \(name)")
        }
        guard FileSystem.kind(of: path) == .file else { throw UserError(.data, "\(path) is missing") }
        guard try Checksum.sha256(ofFile: path) == expected else {
            throw UserError(.data, "\(path) is damaged: its hash is not the one that was written with it")
        }
    }

    // MARK: - Loading

    /// Makes a model with this checkpoint's parameters, after verifying their file.
    ///
    /// - Parameter dropout: the probability for further training; nil for that of the checkpoint.
    /// - Throws: `UserError(.data)` when the file is missing, damaged, or has other shapes than the state says;
    ///   `UserError(.inputOutput)` when it cannot be read.
    public func loadModel(pool: WorkerPool, forTraining: Bool = false, dropout: Float? = nil) throws -> GPT {
        try verify(Self.modelFile)
        let file = try SafetensorsFile(path: folder + "/" + Self.modelFile)
        // Before a layout or a buffer is made from numbers that the file may not bear out.
        guard state.model.layerCount <= file.tensors.count else {
            throw UserError(
                .data,
                "\(file.path) has \(file.tensors.count) tensors, too few for \(state.model.layerCount) layers"
            )
        }
        let layout = ParameterLayout(state.model)
        try layout.tensors.checkShapes(in: file, prefix: "")
        var configuration = state.model
        configuration.dropout = dropout ?? configuration.dropout
        let model = GPT(configuration: configuration, context: ComputeContext(pool: pool), forTraining: forTraining)
        try layout.tensors.load(model.parameters, from: file, prefix: "")
        return model
    }

    /// Loads the state of an optimizer, after verifying its file.
    ///
    /// - Parameter state: has the layout of this checkpoint's model.
    /// - Throws: as `loadModel`.
    public func loadOptimizer(into state: OptimizerState) throws {
        try verify(Self.optimizerFile)
        let file = try SafetensorsFile(path: folder + "/" + Self.optimizerFile)
        for slot in state.slots { try slot.tensors.checkShapes(in: file, prefix: slot.prefix) }
        for slot in state.slots { try slot.tensors.load(slot.values, from: file, prefix: slot.prefix) }
    }

    // MARK: - Writing

    /// Fills an empty folder with the files of a checkpoint, each flushed to disk.
    static func write(
        _ state: CheckpointState,
        _ values: CheckpointValues,
        tokenizer: (any Tokenizer)?,
        into folder: String,
        progress: () -> Void
    ) throws {
        let metadata = ["format": "pt"]
        var hashes: [String: String] = [:]
        hashes[modelFile] = try values.withParameters { parameters in
            try values.layout.withHuggingFaceTensors(of: parameters) { tensors in
                try SafetensorsWriter.write(
                    path: folder + "/" + modelFile,
                    metadata: metadata,
                    tensors: tensors,
                    progress: progress
                )
            }
        }
        hashes[optimizerFile] = try withExtendedLifetime(values.optimizer) {
            try SafetensorsWriter.write(
                path: folder + "/" + optimizerFile,
                metadata: metadata,
                tensors: values.optimizer.slots.flatMap(\.slices),
                progress: progress
            )
        }
        // A slow disk may take seconds to flush a file of any size, so each counts as progress.
        let description = HuggingFaceConfiguration.text(state.model, endOfText: tokenizer?.endOfText)
        try AtomicFile.write(description, to: folder + "/config.json")
        progress()
        if let tokenizer {
            try TokenizerFile.save(tokenizer, folder: folder)
            progress()
            let description = HuggingFaceConfiguration.tokenizerText(state.model, endOfText: tokenizer.endOfTextName)
            try AtomicFile.write(description, to: folder + "/" + TokenizerFile.settingsName)
            progress()
        }
        for name in try FileSystem.names(inFolder: folder) where hashes[name] == nil {
            hashes[name] = try Checksum.sha256(ofFile: folder + "/" + name, progress: progress)
        }
        try AtomicFile.write(state.json(files: hashes).text(pretty: true), to: folder + "/" + stateFile)
        progress()
    }
}

extension OptimizerState.Slot {
    /// What stands before a tensor's name in the file.
    fileprivate var prefix: String { name + "." }

    /// The tensors with their values, valid while the slot lives.
    fileprivate var slices: [SafetensorsWriter.Tensor] {
        tensors.map { (prefix + $0.name, $0.shape, UnsafeBufferPointer(rebasing: values.elements[$0.range])) }
    }
}

extension [ParameterLayout.Tensor] {
    /// - Throws: `UserError(.data)` that names the first tensor that is missing or has another shape, and both shapes.
    fileprivate func checkShapes(in file: SafetensorsFile, prefix: String) throws {
        for tensor in self {
            let name = prefix + tensor.name
            guard let entry = file.tensors[name] else {
                throw UserError(.data, "\(file.path) has no tensor \(name)")
            }
            guard entry.shape == tensor.shape else {
                throw UserError(
                    .data,
                    "\(file.path): tensor \(name) has shape \(entry.shape), expected \(tensor.shape)"
                )
            }
        }
    }

    fileprivate func load(_ buffer: borrowing FloatBuffer, from file: SafetensorsFile, prefix: String) throws {
        let elements = buffer.elements
        for tensor in self {
            try file.floats(
                named: prefix + tensor.name,
                into: UnsafeMutableBufferPointer(rebasing: elements[tensor.range])
            )
        }
    }
}
