import Platform

/// What a file or a member holds, told by its first bytes and its name.
enum ContentKind: Equatable {
    case text
    case jsonLines
    case archive
    case compressed(Compression)

    private static let zip: [UInt8] = [0x50, 0x4B, 0x03, 0x04]

    /// - Parameter treatsTextAsJSONLines: whether a text counts as JSONL whatever its name.
    /// - Throws: `UserError(.data)` for damaged tars, and for Parquet files, with what to do instead.
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

    /// A header whose checksum is right, as octal digits that a NUL or space ends. Tars of before POSIX have no other mark.
    private static func isTar(_ head: [UInt8]) -> Bool {
        guard head.count >= 512, head[0] != 0 else { return false }
        let field = 148..<156
        let digits = head[field].drop { $0 == 0x20 }.prefix { (0x30...0x37).contains($0) }
        guard !digits.isEmpty, head[digits.endIndex..<field.upperBound].allSatisfy({ $0 == 0 || $0 == 0x20 }) else {
            return false
        }
        let stated = digits.reduce(0) { $0 * 8 + Int($1 - 0x30) }
        // The field counts as spaces.
        return stated == (0..<512).reduce(0) { $0 + (field.contains($1) ? 0x20 : Int(head[$1])) }
    }

    /// Not .jl, which is Julia's too: such files are known by their content.
    static func isJSONLines(_ name: String) -> Bool {
        var name = name.lowercased()
        for ending in [".gz", ".xz", ".zst", ".bz2", ".lz4"] where name.hasSuffix(ending) {
            name.removeLast(ending.count)
            break
        }
        return [".jsonl", ".ndjson"].contains { name.hasSuffix($0) }
    }

    /// How a Parquet file's text comes here: one line of Python.
    private static func parquetConversion(of name: String) -> String {
        let script = """
            import sys, json, pyarrow.parquet as p; [print(json.dumps({"text": t})) for f in sys.argv[1:] for b in \
            p.ParquetFile(f).iter_batches(columns=["text"]) for t in b.column(0).to_pylist()]
            """
        return """
            its text can come by standard input (pip install pyarrow): \
            python3 -c '\(script)' \(name) | ddp-train prepare --input - --field text --name NAME
            """
    }
}
