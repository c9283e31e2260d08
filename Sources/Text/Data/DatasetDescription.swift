import Formats

/// What dataset.json says about a data set: how its tokens were made and how to check them.
///
/// A split lists its files, so that shards fit; the tokenizer is named by kind, file and hash, so that other kinds fit.
struct DatasetDescription: Equatable, Sendable {
    static let fileName = "dataset.json"
    static let version = 1

    struct TokenizerReference: Equatable, Sendable {
        var kind: String
        var file: String
        var sha256: String
    }

    struct File: Equatable, Sendable {
        var name: String
        var tokens: Int
        var sha256: String
    }

    /// A file that the text came from.
    struct Source: Equatable, Sendable {
        var name: String
        var bytes: Int
        var sha256: String
    }

    /// How to make the demo corpus again, and which grammar its optimum belongs to.
    struct Demo: Equatable, Sendable {
        var seed: UInt64
        var characters: Int
        var grammar: String
    }

    var name: String
    var tokenizer: TokenizerReference
    var vocabularySize: Int
    var elementType: String
    var train: [File]
    var validation: [File]
    /// Bytes of the text that a split was made of; nil in data sets of earlier versions of this program.
    var trainBytes: Int?
    var validationBytes: Int?
    /// Share of the text, from its start, that went to the training split.
    var trainShare: Double
    var sources: [Source]
    var demo: Demo?

    /// Identifies tokens and tokenizer, whatever the data set is called and wherever it lies.
    var fingerprint: String {
        let parts = [tokenizer.sha256, "train"] + train.map(\.sha256) + ["val"] + validation.map(\.sha256)
        return Checksum.sha256(of: parts.joined(separator: " "))
    }
}

// MARK: - As JSON

extension DatasetDescription {
    var text: String {
        func files(_ files: [File], bytes: Int?) -> JSONValue {
            var members: [JSONValue.Member] = [.init("tokens", .integer(files.reduce(0) { $0 + $1.tokens }))]
            if let bytes { members.append(.init("bytes", .integer(bytes))) }
            let list = files.map {
                JSONValue.object([
                    .init("name", .string($0.name)), .init("tokens", .integer($0.tokens)),
                    .init("sha256", .string($0.sha256)),
                ])
            }
            return .object(members + [.init("files", .array(list))])
        }
        var members: [JSONValue.Member] = [
            .init("format", .string("ddp-train data set")),
            .init("version", .integer(Self.version)),
            .init("name", .string(name)),
            .init(
                "tokenizer",
                .object([
                    .init("kind", .string(tokenizer.kind)), .init("file", .string(tokenizer.file)),
                    .init("sha256", .string(tokenizer.sha256)),
                ])
            ),
            .init("vocabulary_size", .integer(vocabularySize)),
            .init("dtype", .string(elementType)),
            .init(
                "splits",
                .object([
                    .init("train", files(train, bytes: trainBytes)),
                    .init("val", files(validation, bytes: validationBytes)),
                ])
            ),
            .init("split", .object([.init("by", .string("position")), .init("train_share", .number(trainShare))])),
            .init(
                "sources",
                .array(
                    sources.map {
                        .object([
                            .init("name", .string($0.name)), .init("bytes", .integer($0.bytes)),
                            .init("sha256", .string($0.sha256)),
                        ])
                    }
                )
            ),
        ]
        if let demo {
            members.append(
                .init(
                    "demo",
                    .object([
                        // As a string: 64 bits do not fit the numbers of every JSON reader.
                        .init("seed", .string(String(demo.seed))), .init("characters", .integer(demo.characters)),
                        .init("grammar_sha256", .string(demo.grammar)),
                    ])
                )
            )
        }
        return JSONValue.object(members).text(pretty: true)
    }

    /// - Throws: `UserError` naming the path and the member that is missing or wrong.
    init(path: String) throws {
        let file = try JSONValue(ofFile: path)
        func wrong(_ member: String) -> UserError {
            UserError(.data, "\(path): \(member) is missing or wrong; prepare the data set again")
        }
        func string(_ value: JSONValue?, _ member: String) throws -> String {
            guard let text = value?.stringValue else { throw wrong(member) }
            return text
        }
        func count(_ value: JSONValue?, _ member: String) throws -> Int {
            guard let number = value?.integerValue, number >= 0 else { throw wrong(member) }
            return number
        }
        func files(_ split: String) throws -> [File] {
            guard let files = file["splits"]?[split]?["files"]?.arrayValue else { throw wrong("splits.\(split).files") }
            return try files.map {
                let name = try string($0["name"], "splits.\(split).files.name")
                guard !name.contains("/") else { throw wrong("splits.\(split).files.name") }
                return File(
                    name: name,
                    tokens: try count($0["tokens"], "splits.\(split).files.tokens"),
                    sha256: try string($0["sha256"], "splits.\(split).files.sha256")
                )
            }
        }

        let version = try count(file["version"], "version")
        guard version == Self.version else {
            throw UserError(
                .data,
                "\(path) has version \(version), this program reads \(Self.version); prepare the data set again"
            )
        }
        name = try string(file["name"], "name")
        tokenizer = TokenizerReference(
            kind: try string(file["tokenizer"]?["kind"], "tokenizer.kind"),
            file: try string(file["tokenizer"]?["file"], "tokenizer.file"),
            sha256: try string(file["tokenizer"]?["sha256"], "tokenizer.sha256")
        )
        vocabularySize = try count(file["vocabulary_size"], "vocabulary_size")
        elementType = try string(file["dtype"], "dtype")
        (train, validation) = (try files("train"), try files("val"))
        func bytes(_ split: String) throws -> Int? {
            try file["splits"]?[split]?["bytes"].map { try count($0, "splits.\(split).bytes") }
        }
        (trainBytes, validationBytes) = (try bytes("train"), try bytes("val"))
        switch file["split"]?["train_share"] {
        case .number(let share): trainShare = share
        case .integer(let share): trainShare = Double(share)
        default: throw wrong("split.train_share")
        }
        guard let sourceValues = file["sources"]?.arrayValue else { throw wrong("sources") }
        sources = try sourceValues.map {
            Source(
                name: try string($0["name"], "sources.name"),
                bytes: try count($0["bytes"], "sources.bytes"),
                sha256: try string($0["sha256"], "sources.sha256")
            )
        }
        if let value = file["demo"] {
            guard let seed = UInt64(try string(value["seed"], "demo.seed")) else { throw wrong("demo.seed") }
            demo = Demo(
                seed: seed,
                characters: try count(value["characters"], "demo.characters"),
                grammar: try string(value["grammar_sha256"], "demo.grammar_sha256")
            )
        }
    }
}
