import Formats
import Platform
import Transformer

/// The content of `state.json`: everything about a checkpoint but the numbers of the model and the optimizer.
public struct CheckpointState: Equatable, Sendable {
    /// Updates done.
    public var iteration: Int
    /// The shape, variants included.
    public var model: GPTConfiguration
    /// The lowest validation loss of the run so far, in nats per token.
    public var bestValidationLoss: Double?
    /// The validation loss at this iteration; nil if it was not measured.
    public var validationLoss: Double?
    /// The resolved options of the run, as `config.toml` shows them, by name.
    public var options: [String: String]
    /// The name of the dataset.
    public var dataset: String
    /// A hash of the dataset's tokens and tokenizer. A resume with other tokens is refused.
    public var datasetHash: String
    /// The option `seed`.
    public var seed: Int
    /// The number of ranks that trained it. The order of the data does not depend on it.
    public var worldSize: Int
    /// Whether a resume changed an option that decides the parameters, so that no single command repeats the run.
    public var hasChangedCourse = false
    /// Whether an epoch of `sampling=epoch` reads the last tokens too where they do not fill a block. The first versions did not;
    /// their runs go on as they began.
    public var epochCoversTail = true

    /// The defaults are a run of one rank before its first evaluation.
    public init(
        iteration: Int,
        model: GPTConfiguration,
        bestValidationLoss: Double? = nil,
        validationLoss: Double? = nil,
        options: [String: String] = [:],
        dataset: String,
        datasetHash: String,
        seed: Int,
        worldSize: Int = 1
    ) {
        self.iteration = iteration
        self.model = model
        self.bestValidationLoss = bestValidationLoss
        self.validationLoss = validationLoss
        self.options = options
        self.dataset = dataset
        self.datasetHash = datasetHash
        self.seed = seed
        self.worldSize = worldSize
    }
}

// MARK: - state.json

extension CheckpointState {
    static let format = 1

    /// The document, with the SHA-256 of each other file by name.
    func json(files: [String: String]) -> JSONValue {
        func strings(_ values: [String: String]) -> JSONValue {
            .object(values.sorted { $0.key < $1.key }.map { .init($0.key, .string($0.value)) })
        }
        var members: [JSONValue.Member] = [
            .init("format", .integer(Self.format)),
            .init("iteration", .integer(iteration)),
            .init("best_val_loss", bestValidationLoss.map { .number($0) } ?? .null),
            .init("val_loss", validationLoss.map { .number($0) } ?? .null),
            .init("model", model.json),
            .init("dataset", .string(dataset)),
            .init("dataset_hash", .string(datasetHash)),
            .init("seed", .integer(seed)),
            .init("world_size", .integer(worldSize)),
            .init("changed_course", .bool(hasChangedCourse)),
            .init("options", strings(options)),
            .init("sha256", strings(files)),
        ]
        if epochCoversTail, options[Self.sampling] == Self.epoch { members.append(.init(Self.tail, .bool(true))) }
        return .object(members + [.init(Self.ownHash, .string(Self.hash(of: members)))])
    }

    private static let (sampling, epoch, tail) = ("sampling", "epoch", "epoch_covers_tail")
    /// The member with the hash of all the others.
    private static let ownHash = "state_sha256"

    private static func hash(of members: [JSONValue.Member]) -> String {
        Checksum.sha256(of: JSONValue.object(members).text())
    }

    /// - Throws: `UserError(.data)` that names the member that is missing or of another type.
    static func read(_ json: JSONValue, path: String) throws -> (state: CheckpointState, files: [String: String]) {
        let reader = JSONReader(json, path: path)
        let format = try reader.integer("format")
        guard format == Self.format else {
            throw UserError(.data, "\(path) has format \(format); this ddp-train reads format \(Self.format)")
        }
        // The first checkpoints have neither this nor the next.
        if let hash = json[ownHash]?.stringValue,
            hash != self.hash(of: (json.objectValue ?? []).filter { $0.name != ownHash })
        {
            throw UserError(.data, "\(path) is damaged: its hash is not the one that was written in it")
        }
        var state = CheckpointState(
            iteration: try reader.integer("iteration"),
            model: try GPTConfiguration(reader.object("model")),
            bestValidationLoss: try reader.optionalNumber("best_val_loss"),
            validationLoss: try reader.optionalNumber("val_loss"),
            options: try reader.strings("options"),
            dataset: try reader.string("dataset"),
            datasetHash: try reader.string("dataset_hash"),
            seed: try reader.integer("seed"),
            worldSize: try reader.integer("world_size")
        )
        state.hasChangedCourse = try json["changed_course"] != nil && reader.bool("changed_course")
        state.epochCoversTail = try state.options[sampling] != epoch || json[tail] != nil && reader.bool(tail)
        guard state.iteration >= 0 else { throw UserError(.data, "\(path): iteration \(state.iteration) is negative") }
        return (state, try reader.strings("sha256"))
    }
}

extension GPTConfiguration {
    fileprivate var json: JSONValue {
        .object(
            [
                .init("n_layer", .integer(layerCount)),
                .init("n_head", .integer(headCount)),
                .init("n_embd", .integer(embeddingSize)),
                .init("block_size", .integer(blockSize)),
                .init("vocab_size", .integer(vocabularySize)),
                .init("bias", .bool(bias)),
                // By way of its text, so that 0.2 reads 0.2 and not the nearest Float's digits as a Double.
                .init("dropout", .number(Double("\(dropout)")!)),
                .init("activation", .string(activation.rawValue)),
            ] + variantMembers
        )
    }

    /// Nothing for a GPT-2.
    private var variantMembers: [JSONValue.Member] {
        let changes = variantChanges.map { JSONValue.Member($0.name, .string($0.value)) }
        return changes.isEmpty ? [] : [.init("variants", .object(changes))]
    }

    fileprivate init(_ reader: JSONReader) throws {
        let name = try reader.string("activation")
        guard let activation = Activation(rawValue: name) else {
            throw UserError(.data, "\(reader.path): unknown activation \(name)")
        }
        self.init(
            layerCount: try reader.integer("n_layer"),
            headCount: try reader.integer("n_head"),
            embeddingSize: try reader.integer("n_embd"),
            blockSize: try reader.integer("block_size"),
            vocabularySize: try reader.integer("vocab_size"),
            bias: try reader.bool("bias"),
            dropout: Float(try reader.number("dropout")),
            activation: activation
        )
        for (name, value) in reader.json["variants"] == nil ? [:] : try reader.strings("variants") {
            guard setVariant(name, to: value) else {
                throw UserError(.data, "\(reader.path): unknown variant \(name)=\(value)")
            }
        }
        let sizes = [layerCount, headCount, embeddingSize, blockSize, vocabularySize]
        guard sizes.allSatisfy({ 1...(1 << 24) ~= $0 }), embeddingSize % headCount == 0, 0..<1 ~= dropout else {
            throw UserError(.data, "\(reader.path) describes a model that cannot be: \(self)")
        }
        if let conflict = conflict {
            throw UserError(.data, "\(reader.path): \(conflict.names.joined(separator: ", ")): \(conflict.reason)")
        }
    }
}
