import Datasets
import Formats
import Platform

/// The progress of a preparation, saved as state.json in the folder of its shards. An interrupted preparation continues
/// from it.
struct PreparationState: Equatable, Sendable {
    static let fileName = "state.json"
    /// Since version 2, the pieces of JSONL are the texts of documents and not lines.
    private static let version = 2

    /// A hash of the input and the settings. Only a preparation with the same hash continues from this state.
    var settings: String
    /// The number of pieces of text, counted from the start, whose tokens are written.
    var pieces = 0
    /// The split of the document that continues in the next piece; nil between documents.
    var openSplit: Dataset.Split?
    /// The CRC-32C of these pieces, which detects a changed text; nil in states of earlier versions.
    var textCRC: UInt32? = 0
    var train = ShardWriter.State()
    var validation = ShardWriter.State()

    /// The number of bytes of text whose tokens are written.
    var textBytes: Int { train.textBytes + validation.textBytes }

    func save(folder: String) throws {
        func value(_ state: ShardWriter.State) -> JSONValue {
            .object([
                .init("files", .array(state.files.map(\.json))),
                .init("open_tokens", .integer(state.openTokens)),
                .init("bytes", .integer(state.textBytes)),
                .init("documents", .integer(state.documents)),
            ])
        }
        let members: [JSONValue.Member] = [
            .init("version", .integer(Self.version)),
            .init("settings", .string(settings)),
            .init("pieces", .integer(pieces)),
            .init("text_crc32c", textCRC.map { .integer(Int($0)) } ?? .null),
            .init("open_split", openSplit.map { .string($0.rawValue) } ?? .null),
            .init("train", value(train)),
            .init("val", value(validation)),
        ]
        try AtomicFile.write(JSONValue.object(members).text(pretty: true), to: folder + "/" + Self.fileName)
    }

    /// Reads the state of an earlier run of the same preparation. Returns nil if there is none or if its shards are
    /// incomplete.
    static func load(folder: String, settings: String, elementType: TokenFile.ElementType) -> PreparationState? {
        guard let file = try? JSONValue(ofFile: folder + "/" + fileName),
            file["version"] == .integer(version), file["settings"] == .string(settings),
            let pieces = file["pieces"]?.integerValue,
            let train = shards(file["train"]), let validation = shards(file["val"]),
            ShardWriter.isComplete(train, folder: folder, split: .train, elementType: elementType),
            ShardWriter.isComplete(validation, folder: folder, split: .validation, elementType: elementType)
        else { return nil }
        return PreparationState(
            settings: settings,
            pieces: pieces,
            openSplit: file["open_split"]?.stringValue.flatMap { Dataset.Split(rawValue: $0) },
            textCRC: file["text_crc32c"]?.integerValue.flatMap { UInt32(exactly: $0) },
            train: train,
            validation: validation
        )
    }

    private static func shards(_ value: JSONValue?) -> ShardWriter.State? {
        guard let files = value?["files"]?.arrayValue, let openTokens = value?["open_tokens"]?.integerValue,
            (0...Int.max / 16).contains(openTokens),
            let bytes = value?["bytes"]?.integerValue, let documents = value?["documents"]?.integerValue
        else { return nil }
        let shards = files.compactMap { file -> DatasetDescription.File? in
            guard let name = file["name"]?.stringValue, let tokens = file["tokens"]?.integerValue,
                let hash = file["sha256"]?.stringValue, (0...Int.max / 8).contains(tokens)
            else { return nil }
            return .init(name: name, tokens: tokens, sha256: hash)
        }
        guard shards.count == files.count else { return nil }
        return .init(files: shards, openTokens: openTokens, textBytes: bytes, documents: documents)
    }
}
