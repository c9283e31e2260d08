import Platform
import Tokenizers

/// A file or a member of an archive that is not text.
struct BinaryContent: Error {
    let name: String
    /// The reason, as the words after "it", such as "is a PNG image".
    let reason: String

    func error(others: Int = 0) -> UserError {
        let (subject, verb) =
            switch others {
            case 0: (name, "is not text: it")
            case 1: ("\(name) and another file", "are not text: the first")
            default: ("\(name) and \(others) other files", "are not text: the first")
            }
        return UserError(
            .data,
            "\(subject) \(verb) \(reason); remove files that are not text, or skip them with --skip_bad"
        )
    }

    private struct Mark {
        let what: String
        let offset: Int
        let bytes: [UInt8]
        /// Whether a text can start with these bytes. If so, the file must also have a NUL byte to be recognized.
        let isText: Bool

        init(_ what: String, _ bytes: [UInt8], at offset: Int = 0) {
            (self.what, self.bytes, self.offset, isText) = (what, bytes, offset, false)
        }

        init(_ what: String, _ text: String, at offset: Int = 0, isText: Bool = true) {
            (self.what, bytes, self.offset, self.isText) = (what, Array(text.utf8), offset, isText)
        }
    }

    private static let marks: [Mark] = [
        Mark("a PDF document", "%PDF-", isText: false), Mark("a PNG image", [0x89, 0x50, 0x4E, 0x47]),
        Mark("a JPEG image", [0xFF, 0xD8, 0xFF]), Mark("a GIF image", "GIF8"), Mark("a BMP image", "BM"),
        Mark("a TIFF image", [0x49, 0x49, 0x2A, 0]), Mark("a TIFF image", [0x4D, 0x4D, 0, 0x2A]),
        Mark("a WebP image", "WEBP", at: 8), Mark("an audio or video file", "RIFF"),
        Mark("an audio or video file", "OggS"), Mark("an audio file", "ID3"), Mark("an audio file", "fLaC"),
        Mark("a video file", "ftyp", at: 4), Mark("a video file", [0x1A, 0x45, 0xDF, 0xA3]),
        Mark("a program (ELF)", [0x7F, 0x45, 0x4C, 0x46]), Mark("a program (Mach-O)", [0xCF, 0xFA, 0xED, 0xFE]),
        Mark("a program (Mach-O) or Java class", [0xCA, 0xFE, 0xBA, 0xBE]), Mark("a Windows program", "MZ"),
        Mark("a WebAssembly module", [0, 0x61, 0x73, 0x6D]),
        Mark("a NumPy array", [0x93, 0x4E, 0x55, 0x4D, 0x50, 0x59]),
        Mark("a pickle", [0x80, 2]), Mark("a pickle", [0x80, 3]), Mark("a pickle", [0x80, 4]),
        Mark("a pickle", [0x80, 5]), Mark("a model (GGUF)", "GGUF"),
        Mark("a model (safetensors)", [0, 0, 0, 0, 0x7B, 0x22], at: 4), Mark("an HDF5 file", [0x89, 0x48, 0x44, 0x46]),
        Mark("an Arrow file", "ARROW1"), Mark("an ORC file", "ORC"), Mark("an Avro file", [0x4F, 0x62, 0x6A, 1]),
        Mark("a SQLite database", "SQLite format 3"), Mark("a 7-Zip archive", [0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C]),
        Mark("a RAR archive", [0x52, 0x61, 0x72, 0x21, 0x1A, 7]), Mark("an LZIP file", "LZIP"),
        Mark("a compress file (.Z)", [0x1F, 0x9D]),
        Mark("an old Microsoft Office document", [0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1]),
        // Zip files by the name of their first member. They would otherwise be read as archives, but markup is not
        // text.
        Mark("a Microsoft Office document", "[Content_Types].xml", at: 30),
        Mark("a Microsoft Office document", "_rels/.rels", at: 30),
        Mark("an OpenDocument or EPUB document", "mimetype", at: 30),
    ]

    /// Returns the reason for a file whose first bytes are a known signature, or nil. The list has no archive formats
    /// that are supported.
    static func knownFormat(_ head: [UInt8]) -> String? {
        let hasNUL = head.contains(0)
        let mark = marks.first { mark in
            (hasNUL || !mark.isText) && head.dropFirst(mark.offset).starts(with: mark.bytes)
        }
        return mark.map { "is \($0.what)" }
    }

    /// Returns the reason for a file of an unknown format with bytes that no text has, or nil if it may be text.
    ///
    /// A few NUL bytes among thousands of characters, as in some log files, do not make a file binary. They are counted
    /// when the file is read.
    static func unknownFormat(_ head: [UInt8]) -> String? {
        guard let first = head.firstIndex(of: 0) else { return nil }
        let control = head.count { $0 < 0x20 && !(0x08...0x0D).contains($0) && $0 != 0x1B }
        let isUTF8 = head.withUnsafeBytes { bytes in
            let end = UTF8Scanner.lastBoundary(in: bytes)
            return UTF8Check.firstInvalid(in: UnsafeRawBufferPointer(rebasing: bytes[..<end])) == nil
        }
        return 100 * control > head.count || !isUTF8 ? "has NUL bytes, the first at byte \(first)" : nil
    }
}
