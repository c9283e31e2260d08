import Compute
import Formats
import Platform
import Text
import Transformer

/// A folder that holds one moment of a run, whole and verified by hashes.
///
/// | file | content |
/// | --- | --- |
/// | model.safetensors | the parameters under Hugging Face's names, with zero biases where the model has none |
/// | config.json, tokenizer.json, tokenizer_config.json | what transformers needs beside it, so that the folder loads there as it is |
/// | optimizer.safetensors | both moments of AdamW, as `exp_avg.NAME` and `exp_avg_sq.NAME` |
/// | state.json | `CheckpointState`, the SHA-256 of every other file, and one of all that |
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

    /// Opens a checkpoint; its files are read and verified only when they are loaded.
    ///
    /// - Throws: `UserError(.inputOutput)` when there is none, `UserError(.data)` when `state.json` is not what it should be.
    public init(folder: String) throws {
        self.folder = folder
        let path = folder + "/" + Self.stateFile
        guard FileSystem.kind(of: path) == .file else {
            throw UserError(.inputOutput, "\(folder) is not a checkpoint: it has no \(Self.stateFile)")
        }
        (state, hashes) = try CheckpointState.read(try JSONValue(ofFile: path), path: path)
    }

    /// `state.json`, for programs.
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
        if let named = CheckpointStore.iteration(ofName: FileSystem.lastComponent(of: folder)), named != state.iteration
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

    /// A model with this checkpoint's parameters, verified.
    ///
    /// - Parameter dropout: probability for training on; nil for the one it was trained with.
    /// - Throws: `UserError(.data)` when the file is missing, damaged, or not of the shape that the state says;
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
        try layout.checkShapes(in: file, prefix: "")
        var configuration = state.model
        configuration.dropout = dropout ?? configuration.dropout
        let model = GPT(configuration: configuration, pool: pool, forTraining: forTraining)
        try layout.load(model.parameters, from: file, prefix: "")
        return model
    }

    /// Loads both moments, verified.
    ///
    /// - Throws: as `loadModel`.
    public func loadMoments(into optimizer: AdamW, layout: ParameterLayout) throws {
        try verify(Self.optimizerFile)
        let file = try SafetensorsFile(path: folder + "/" + Self.optimizerFile)
        try layout.checkShapes(in: file, prefix: Self.firstMomentPrefix)
        try layout.checkShapes(in: file, prefix: Self.secondMomentPrefix)
        try layout.load(optimizer.firstMoments, from: file, prefix: Self.firstMomentPrefix)
        try layout.load(optimizer.secondMoments, from: file, prefix: Self.secondMomentPrefix)
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
        hashes[modelFile] = try values.layout.withHuggingFaceTensors(of: values.parameters) { tensors in
            try SafetensorsWriter.write(
                path: folder + "/" + modelFile,
                metadata: metadata,
                tensors: tensors,
                progress: progress
            )
        }
        hashes[optimizerFile] = try SafetensorsWriter.write(
            path: folder + "/" + optimizerFile,
            metadata: metadata,
            tensors: values.layout.slices(of: values.firstMoments, prefix: firstMomentPrefix)
                + values.layout.slices(of: values.secondMoments, prefix: secondMomentPrefix),
            progress: progress
        )
        let description = state.model.huggingFaceDescription(endOfText: tokenizer?.endOfText)
        try AtomicFile.write(description, to: folder + "/config.json")
        if let tokenizer {
            try TokenizerFile.save(tokenizer, folder: folder)
            try AtomicFile.write(state.model.huggingFaceTokenizerDescription, to: folder + "/tokenizer_config.json")
        }
        for name in try FileSystem.names(inFolder: folder) where hashes[name] == nil {
            hashes[name] = try Checksum.sha256(ofFile: folder + "/" + name, progress: progress)
        }
        try AtomicFile.write(state.json(files: hashes).text(pretty: true), to: folder + "/" + stateFile)
    }

    private static let firstMomentPrefix = "exp_avg."
    private static let secondMomentPrefix = "exp_avg_sq."
}

extension ParameterLayout {
    /// - Throws: `UserError(.data)` that names the first tensor that is missing or has another shape, and both shapes.
    fileprivate func checkShapes(in file: SafetensorsFile, prefix: String) throws {
        for tensor in tensors {
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
        for tensor in tensors {
            try file.floats(
                named: prefix + tensor.name,
                into: UnsafeMutableBufferPointer(rebasing: elements[tensor.range])
            )
        }
    }

    /// The tensors of a flat buffer, valid while the buffer lives.
    fileprivate func slices(of elements: UnsafeBufferPointer<Float>, prefix: String) -> [SafetensorsWriter.Tensor] {
        tensors.map { (prefix + $0.name, $0.shape, UnsafeBufferPointer(rebasing: elements[$0.range])) }
    }
}
