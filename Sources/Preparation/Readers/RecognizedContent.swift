import Platform

/// The content of a file or a member of an archive: decompressed, converted to UTF-8, and with its kind detected by the
/// first bytes.
struct RecognizedContent {
    let kind: ContentKind
    /// The bytes of the content. Text is UTF-8 without a byte order mark.
    let stream: any ByteStream
    /// The byte offset in the file where the stream starts.
    let offset: Int
    /// The conversions and anomalies to report to the user.
    let notices: [CorpusNotices.Kind]

    /// The number of first bytes that are inspected.
    static let headSize = 1 << 16

    /// The maximum number of nested compressions or archives. It stops archives that contain themselves.
    static let maximumDepth = 8

    /// - Throws: `BinaryContent` if the content is not text, `UserError(.data)` for UTF-32, Parquet, JSON with several
    ///   lines per object, and content whose first bytes are damaged.
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

    /// Removes all levels of compression and returns the content and its kind: text, JSONL or an archive.
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
            let kind = try ContentKind(
                head: stream.head,
                name: stream.name,
                treatsTextAsJSONLines: format.field != nil
            )
            guard case .compressed(let compression) = kind else {
                if level == 0, kind != .archive { try Compression.checkName(stream.name, head: stream.head) }
                return (stream, kind)
            }
            stream = try PeekedStream(compression.content(of: stream), count: headSize)
        }
        throw UserError(.data, "\(source.name) is compressed more than \(maximumDepth - 1) times; decompress it first")
    }

    /// Returns the text as UTF-8, the byte offset where it starts, and the conversion to report.
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
            throw UserError(
                .data,
                "\(raw.name) is UTF-32, which is not supported; convert it with iconv -f UTF-32 -t UTF-8"
            )
        }
    }

    /// Detects JSONL by content.
    ///
    /// - Parameter kind: The kind according to the options and the file name.
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
                \(text.name) is \(isArray ? "one JSON array" : "JSON objects over several lines"), not JSONL with one object \
                per line; convert it with jq -c \(isArray ? "'.[]'" : ".") FILE > FILE.jsonl
                """
            )
        case .lines(hasField: true) where kind == .text: return (.jsonLines, .jsonLines)
        case .lines where kind == .text, .values: return (.text, .otherJSON)
        case .lines, nil: return (kind, nil)
        }
    }
}
