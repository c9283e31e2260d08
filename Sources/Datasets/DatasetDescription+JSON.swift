import Formats
import Platform

extension DatasetDescription {
    /// The text of dataset.json.
    package var text: String {
        var members: [JSONValue.Member] = [
            .init("format", .string("ddp-train data set")),
            .init("version", .integer(Self.version)),
            .init("name", .string(name)),
            .init("tokenizer", tokenizer.json),
            .init("vocabulary_size", .integer(vocabularySize)),
            .init("dtype", .string(elementType)),
            .init(
                "splits",
                .object([
                    .init("train", Self.split(train, trainText)),
                    .init("val", Self.split(validation, validationText)),
                ])
            ),
            .init("split", rule.json),
            .init("sources", .array(sources.map(\.json))),
        ]
        if recognizesSpecialTokens { members.append(.init("special_tokens", .bool(true))) }
        if let demo { members.append(.init("demo", demo.json)) }
        if let documentEnd { members.append(.init("document_end", .string(documentEnd))) }
        if !reading.isEmpty {
            members.append(.init("reading", .object(reading.map { .init($0.name, .integer($0.count)) })))
        }
        return JSONValue.object(members).text(pretty: true)
    }

    private static func split(_ files: [File], _ text: Text?) -> JSONValue {
        var members = [JSONValue.Member("tokens", .integer(files.reduce(0) { $0 + $1.tokens }))]
        if let text {
            members += [.init("bytes", .integer(text.bytes)), .init("documents", .integer(text.documents))]
        }
        return .object(members + [.init("files", .array(files.map(\.json)))])
    }

    /// Reads a dataset.json.
    ///
    /// - Throws: `UserError(.data)` with the path and the member that is missing or wrong, `UserError(.inputOutput)` if
    ///   the file cannot be read.
    package init(path: String) throws {
        let file = try DescriptionReader(path: path)
        let version = try file.count("version")
        guard version == Self.version else {
            throw UserError(
                .data,
                "\(path) has version \(version), but only version \(Self.version) is supported; prepare the dataset again"
            )
        }
        name = try file.string("name")
        tokenizer = TokenizerReference(
            kind: try file.string("tokenizer.kind"),
            file: try file.string("tokenizer.file"),
            sha256: try file.string("tokenizer.sha256")
        )
        recognizesSpecialTokens = file["special_tokens"] == .bool(true)
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
        if file["document_end"] != nil { documentEnd = try file.string("document_end") }
        reading = (file["reading"]?.objectValue ?? []).compactMap { member in
            member.value.integerValue.map { .init(name: member.name, count: $0) }
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

/// Reads members of a dataset.json by path, such as `tokenizer.kind`. Errors name the file and the member.
private struct DescriptionReader {
    private let json: JSONValue
    private let path: String
    /// The path of this object within the file, for error messages.
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
        UserError(.data, "\(path): \(prefix)\(member) is missing or wrong; prepare the dataset again")
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
            // The number of bytes must not overflow.
            guard tokens <= Int.max / 8 else { throw file.wrong("tokens") }
            return .init(name: name, tokens: tokens, sha256: try file.string("sha256"))
        }
    }

    func text(_ split: String) throws -> DatasetDescription.Text? {
        guard self[split + ".bytes"] != nil else { return nil }
        return .init(bytes: try count(split + ".bytes"), documents: try count(split + ".documents"))
    }
}

extension DatasetDescription.File {
    package var json: JSONValue {
        .object([.init("name", .string(name)), .init("tokens", .integer(tokens)), .init("sha256", .string(sha256))])
    }
}

extension DatasetDescription.TokenizerReference {
    fileprivate var json: JSONValue {
        .object([.init("kind", .string(kind)), .init("file", .string(file)), .init("sha256", .string(sha256))])
    }
}

extension DatasetDescription.Source {
    fileprivate var json: JSONValue {
        .object([.init("name", .string(name)), .init("bytes", .integer(bytes)), .init("sha256", .string(sha256))])
    }
}

extension DatasetDescription.Demo {
    fileprivate var json: JSONValue {
        .object([
            // As a string: 64 bits do not fit the numbers of every JSON reader.
            .init("seed", .string(String(seed))), .init("characters", .integer(characters)),
            .init("grammar_sha256", .string(grammar)),
        ])
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
