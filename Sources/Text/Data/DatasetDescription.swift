import Formats
import Platform

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

        var json: JSONValue {
            .object([
                .init("name", .string(name)), .init("tokens", .integer(tokens)), .init("sha256", .string(sha256)),
            ])
        }
    }

    /// The text that the tokens of a split were made of.
    struct Text: Equatable, Sendable {
        /// Without what separated the documents.
        var bytes: Int
        var documents: Int
    }

    /// What decided which text is for training, and which for validation.
    enum Rule: Equatable, Sendable {
        /// This share of the one text, from its start, is for training.
        case position(trainShare: Double)
        /// Documents by a hash (`DocumentSplit`): this share of them is for validation.
        case hash(validationShare: Double, seed: UInt64)
        /// The sources have the two apart.
        case sources
    }

    /// A file that the text came from, or a folder of them.
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
    /// Nil where it is not known, as in data sets of earlier versions of this program.
    var trainText: Text?
    var validationText: Text?
    var rule: Rule
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
        func split(_ files: [File], _ text: Text?) -> JSONValue {
            let sizes = text.map {
                [JSONValue.Member("bytes", .integer($0.bytes)), .init("documents", .integer($0.documents))]
            }
            let tokens = JSONValue.Member("tokens", .integer(files.reduce(0) { $0 + $1.tokens }))
            return .object(
                [tokens] + (sizes ?? []) + [
                    .init("files", .array(files.map(\.json)))
                ]
            )
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
                .object([.init("train", split(train, trainText)), .init("val", split(validation, validationText))])
            ),
            .init("split", rule.json),
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
        let file = try DescriptionReader(path: path)
        let version = try file.count("version")
        guard version == Self.version else {
            throw UserError(
                .data,
                "\(path) has version \(version), this program reads \(Self.version); prepare the data set again"
            )
        }
        name = try file.string("name")
        tokenizer = TokenizerReference(
            kind: try file.string("tokenizer.kind"),
            file: try file.string("tokenizer.file"),
            sha256: try file.string("tokenizer.sha256")
        )
        vocabularySize = try file.count("vocabulary_size")
        elementType = try file.string("dtype")
        (train, validation) = (try file.files("splits.train.files"), try file.files("splits.val.files"))
        (trainText, validationText) = (try file.text("splits.train"), try file.text("splits.val"))
        guard let rule = Rule(json: file["split"]) else { throw file.wrong("split") }
        self.rule = rule
        sources = try file.each("sources") { source in
            Source(
                name: try source.string("name"),
                bytes: try source.count("bytes"),
                sha256: try source.string("sha256")
            )
        }
        if file["demo"] != nil {
            guard let seed = UInt64(try file.string("demo.seed")) else { throw file.wrong("demo.seed") }
            demo = Demo(
                seed: seed,
                characters: try file.count("demo.characters"),
                grammar: try file.string("demo.grammar_sha256")
            )
        }
    }
}

/// The members of a dataset.json by their paths, such as `tokenizer.kind`, with errors that name file and member.
private struct DescriptionReader {
    private let json: JSONValue
    private let path: String
    /// Of these members in the file.
    private var prefix = ""

    init(path: String) throws {
        json = try JSONValue(ofFile: path)
        self.path = path
    }

    private init(_ json: JSONValue, of reader: DescriptionReader, _ member: String) {
        self.json = json
        path = reader.path
        prefix = reader.prefix + member + "."
    }

    subscript(member: String) -> JSONValue? {
        member.split(separator: ".").reduce(Optional(json)) { $0?[String($1)] }
    }

    func wrong(_ member: String) -> UserError {
        UserError(.data, "\(path): \(prefix)\(member) is missing or wrong; prepare the data set again")
    }

    func string(_ member: String) throws -> String {
        guard let text = self[member]?.stringValue else { throw wrong(member) }
        return text
    }

    func count(_ member: String) throws -> Int {
        guard let number = self[member]?.integerValue, number >= 0 else { throw wrong(member) }
        return number
    }

    func each<Element>(_ member: String, _ read: (DescriptionReader) throws -> Element) throws -> [Element] {
        guard let values = self[member]?.arrayValue else { throw wrong(member) }
        return try values.map { try read(DescriptionReader($0, of: self, member)) }
    }

    func files(_ member: String) throws -> [DatasetDescription.File] {
        try each(member) { file in
            let name = try file.string("name")
            guard !name.contains("/") else { throw file.wrong("name") }
            let tokens = try file.count("tokens")
            // Times the bytes of a token, it is still a number.
            guard tokens <= Int.max / 8 else { throw file.wrong("tokens") }
            return .init(name: name, tokens: tokens, sha256: try file.string("sha256"))
        }
    }

    func text(_ split: String) throws -> DatasetDescription.Text? {
        guard self[split + ".bytes"] != nil else { return nil }
        return .init(bytes: try count(split + ".bytes"), documents: try count(split + ".documents"))
    }
}

extension DatasetDescription.Rule {
    fileprivate var json: JSONValue {
        switch self {
        case .position(let share): .object([.init("by", .string("position")), .init("train_share", .number(share))])
        case .hash(let share, let seed):
            // As a string: 64 bits do not fit the numbers of every JSON reader.
            .object([
                .init("by", .string("hash")), .init("val_fraction", .number(share)),
                .init("seed", .string(String(seed))),
            ])
        case .sources: .object([.init("by", .string("sources"))])
        }
    }

    fileprivate init?(json: JSONValue?) {
        switch json?["by"]?.stringValue {
        case "position":
            guard let share = json?["train_share"]?.numberValue else { return nil }
            self = .position(trainShare: share)
        case "hash":
            guard let share = json?["val_fraction"]?.numberValue,
                let seed = json?["seed"]?.stringValue.flatMap({ UInt64($0) })
            else { return nil }
            self = .hash(validationShare: share, seed: seed)
        case "sources": self = .sources
        default: return nil
        }
    }
}
