import Platform

/// What a file or a member holds, told by its first bytes and its name.
enum ContentKind: Equatable {
    case text
    case jsonLines
    /// A compressed file or an archive.
    case packed

    /// None of them begins a text.
    private static let marks: [[UInt8]] = [
        [0x1F, 0x8B],  // gzip
        [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00],  // xz
        [0x28, 0xB5, 0x2F, 0xFD],  // zstd
        [0x04, 0x22, 0x4D, 0x18],  // lz4
        [0x50, 0x4B, 0x03, 0x04],  // zip
    ]

    /// - Parameter areJSONLines: whether a text counts as JSONL whatever its name.
    /// - Throws: `UserError(.data)` for Parquet files, with what to do instead.
    init(head: [UInt8], name: String, areJSONLines: Bool) throws {
        if head.starts(with: Array("PAR1".utf8)) {
            throw UserError(.data, "\(name) is a Parquet file; \(Self.parquetConversion(of: name))")
        }
        if Self.marks.contains(where: { head.starts(with: $0) }) || Self.isBzip2(head) || Self.isTar(head) {
            self = .packed
        } else {
            self = areJSONLines || Self.isJSONLines(name) ? .jsonLines : .text
        }
    }

    /// "BZh", a digit, and the mark of a block or of the end: the letters alone may begin a text.
    private static func isBzip2(_ head: [UInt8]) -> Bool {
        guard head.count >= 10, head.starts(with: Array("BZh".utf8)), (0x31...0x39).contains(head[3]) else {
            return false
        }
        let (block, end): ([UInt8], [UInt8]) = (
            [0x31, 0x41, 0x59, 0x26, 0x53, 0x59], [0x17, 0x72, 0x45, 0x38, 0x50, 0x90]
        )
        return [block, end].contains(Array(head[4..<10]))
    }

    /// "ustar" at its place, and a header whose checksum is right: a text about mustard may well have the letters there.
    private static func isTar(_ head: [UInt8]) -> Bool {
        guard head.count >= 512, head.dropFirst(257).starts(with: Array("ustar".utf8)) else { return false }
        let field = 148..<156
        let digits = head[field].filter { (0x30...0x37).contains($0) }
        let stated = digits.reduce(0) { $0 * 8 + Int($1 - 0x30) }
        // The field counts as spaces.
        let sum = head.indices.reduce(0) { $0 + (field.contains($1) ? 0x20 : Int(head[$1])) }
        return !digits.isEmpty && stated == sum
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
