import Formats

/// What a file or a member holds, told by its first bytes and its name.
enum ContentKind: Equatable {
    case text
    case jsonLines
    /// A compressed file or an archive.
    case packed

    /// First bytes that are needed: tar has its mark at 257.
    static let headSize = 512

    private static let marks: [(offset: Int, bytes: [UInt8])] = [
        (0, [0x1F, 0x8B]),  // gzip
        (0, [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00]),  // xz
        (0, [0x28, 0xB5, 0x2F, 0xFD]),  // zstd
        (0, Array("BZh".utf8)),  // bzip2
        (0, [0x04, 0x22, 0x4D, 0x18]),  // lz4
        (0, [0x50, 0x4B, 0x03, 0x04]),  // zip
        (257, Array("ustar".utf8)),
    ]

    /// - Parameter areJSONLines: nil to go by the name.
    /// - Throws: `UserError(.data)` for Parquet files, with what to do instead.
    init(head: [UInt8], name: String, areJSONLines: Bool) throws {
        if head.starts(with: Array("PAR1".utf8)) {
            throw UserError(.data, "\(name) is a Parquet file; \(Self.parquetConversion(of: name))")
        }
        if Self.marks.contains(where: { head.dropFirst($0.offset).starts(with: $0.bytes) }) {
            self = .packed
        } else {
            self = areJSONLines || Self.isJSONLines(name) ? .jsonLines : .text
        }
    }

    static func isJSONLines(_ name: String) -> Bool {
        [".jsonl", ".ndjson"].contains { name.hasSuffix($0) }
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
