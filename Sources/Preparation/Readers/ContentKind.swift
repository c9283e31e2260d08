import Platform

/// The kind of content of a file or a member of an archive, detected by its first bytes and its name.
enum ContentKind: Equatable {
    case text
    case jsonLines
    case archive
    case compressed(Compression)

    private static let zip: [UInt8] = [0x50, 0x4B, 0x03, 0x04]

    /// - Parameters:
    ///   - head: The first bytes.
    ///   - name: The name, whose extension can be that of JSONL.
    ///   - treatsTextAsJSONLines: Whether text is JSONL regardless of the name.
    /// - Throws: `UserError(.data)` for damaged tars and for Parquet files. The message for Parquet has a command that
    ///   converts the file.
    init(head: [UInt8], name: String, treatsTextAsJSONLines: Bool) throws {
        if !Self.isTar(head), head.dropFirst(257).starts(with: Array("ustar".utf8)), head.prefix(512).contains(0) {
            throw UserError(.data, "\(name) is a damaged tar: the checksum of its first header is wrong")
        }
        if head.starts(with: Array("PAR1".utf8)) {
            throw UserError(.data, "\(name) is a Parquet file; \(Self.parquetConversion(of: name))")
        }
        if let compression = Compression(head: head) {
            self = .compressed(compression)
        } else if head.starts(with: Self.zip) || Self.isTar(head) {
            self = .archive
        } else {
            self = treatsTextAsJSONLines || Self.isJSONLines(name) ? .jsonLines : .text
        }
    }

    /// Whether the bytes start with a tar header with a valid checksum: octal digits followed by a NUL or a space. Tars
    /// older than POSIX have no signature.
    private static func isTar(_ head: [UInt8]) -> Bool {
        guard head.count >= 512, head[0] != 0 else { return false }
        let field = 148..<156
        let digits = head[field].drop { $0 == 0x20 }.prefix { (0x30...0x37).contains($0) }
        guard !digits.isEmpty, head[digits.endIndex..<field.upperBound].allSatisfy({ $0 == 0 || $0 == 0x20 }) else {
            return false
        }
        let stated = digits.reduce(0) { $0 * 8 + Int($1 - 0x30) }
        // For the checksum, the bytes of the checksum field itself count as spaces.
        return stated == (0..<512).reduce(0) { $0 + (field.contains($1) ? 0x20 : Int(head[$1])) }
    }

    /// Whether a name has the extension of JSONL. The extension .jl is not accepted, because Julia programs have it
    /// too; such files are detected by their content.
    static func isJSONLines(_ name: String) -> Bool {
        var name = name.lowercased()
        for ending in [".gz", ".xz", ".zst", ".bz2", ".lz4"] where name.hasSuffix(ending) {
            name.removeLast(ending.count)
            break
        }
        return [".jsonl", ".ndjson"].contains { name.hasSuffix($0) }
    }

    /// Returns a command that converts the text of a Parquet file with one line of Python.
    private static func parquetConversion(of name: String) -> String {
        let script = """
            import sys, json, pyarrow.parquet as p; [print(json.dumps({"text": t})) for f in sys.argv[1:] for b in \
            p.ParquetFile(f).iter_batches(columns=["text"]) for t in b.column(0).to_pylist()]
            """
        return """
            convert its text and pass it as standard input (pip install pyarrow): \
            python3 -c '\(script)' \(name) | ddp-train prepare --input - --field text --name NAME
            """
    }
}
