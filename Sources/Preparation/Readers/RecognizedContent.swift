import Platform

/// A file or a member of an archive, once its first bytes said what it holds and how it is to be read.
struct RecognizedContent {
    let kind: ContentKind
    /// Its bytes; of text the UTF-8, without a byte order mark.
    let stream: any ByteStream
    /// The byte of the file that the stream starts at.
    let offset: Int
    /// What a user should know of it.
    let notices: [CorpusNotices.Kind]

    /// Bytes that are looked at.
    static let headSize = 1 << 16

    /// More levels of compression, or of archives within archives, than any honest corpus has.
    static let maximumDepth = 8

    /// - Throws: `BinaryContent` for what is not text; `UserError(.data)` for UTF-32, Parquet, JSON that is not in lines, and
    ///   what is damaged from its first bytes on.
    init(_ source: any ByteStream, format: CorpusFormat) throws {
        let (raw, kind) = try Self.decompressed(source, format)
        guard kind != .archive else {
            (self.kind, stream, offset, notices) = (kind, raw, 0, [])
            return
        }
        let (text, offset, conversion) = try Self.utf8(raw)
        let (textKind, notice) = try Self.json(text, kind, format)
        (self.kind, stream, self.offset) = (textKind, text, offset)
        notices = [conversion, notice].compactMap { $0 }
    }

    /// What a stream holds once nothing is compressed: a text, lines of JSON, or an archive.
    private static func decompressed(
        _ source: any ByteStream,
        _ format: CorpusFormat
    ) throws -> (PeekedStream, ContentKind) {
        var stream = try PeekedStream(source, count: headSize)
        for level in 0..<maximumDepth {
            try SkippableFrame.skip(in: stream)
            if let reason = BinaryContent.knownFormat(stream.head) {
                throw BinaryContent(name: stream.name, reason: reason)
            }
            let kind = try ContentKind(head: stream.head, name: stream.name, treatsTextAsJSONLines: format.field != nil)
            guard case .compressed(let compression) = kind else {
                if level == 0, kind != .archive { try Compression.checkName(stream.name, head: stream.head) }
                return (stream, kind)
            }
            stream = try PeekedStream(compression.content(of: stream), count: headSize)
        }
        throw UserError(.data, "\(source.name) is compressed \(maximumDepth) times over: decompress it first")
    }

    /// The text as UTF-8, the byte it starts at, and what was done to it.
    private static func utf8(_ raw: PeekedStream) throws -> (PeekedStream, offset: Int, CorpusNotices.Kind?) {
        let encoding = TextEncoding(head: raw.head)
        switch encoding {
        case .bytes:
            if let reason = BinaryContent.unknownFormat(raw.head) {
                throw BinaryContent(name: raw.name, reason: reason)
            }
            return (raw, 0, nil)
        case .utf8WithMark:
            _ = try raw.skip(encoding.markLength)
            return (raw, encoding.markLength, .byteOrderMark)
        case .utf16(let isBigEndian, _):
            _ = try raw.skip(encoding.markLength)
            let text = UTF16Stream(raw, isBigEndian: isBigEndian, from: encoding.markLength)
            return (try PeekedStream(text, count: headSize), 0, .utf16)
        case .utf32:
            throw UserError(.data, "\(raw.name) is UTF-32, which is not read: convert it with iconv -f UTF-32 -t UTF-8")
        }
    }

    /// - Parameter kind: JSONL where the user, or the file's name, says so.
    private static func json(
        _ text: PeekedStream,
        _ kind: ContentKind,
        _ format: CorpusFormat
    ) throws -> (ContentKind, CorpusNotices.Kind?) {
        let content = text.head.withUnsafeBytes {
            JSONContent(head: $0, isWhole: $0.count < headSize, field: format.fieldName)
        }
        switch content {
        case .values(let isArray, let hasField) where kind == .jsonLines || hasField:
            throw UserError(
                .data,
                """
                \(text.name) has \(isArray ? "one JSON array" : "JSON objects"), but not one object on each line, as JSONL does: \
                convert it with jq -c \(isArray ? "'.[]'" : ".") FILE > FILE.jsonl
                """
            )
        case .lines(hasField: true) where kind == .text: return (.jsonLines, .jsonLines)
        case .lines where kind == .text, .values: return (.text, .otherJSON)
        case .lines, nil: return (kind, nil)
        }
    }
}
