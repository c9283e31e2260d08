import ArgumentParser
import Platform

/// The program's arguments as the strings that its parser takes, in which no byte is lost: names of files need not be UTF-8.
///
/// A byte from 0x80 to 0xFF that is not UTF-8 becomes the scalar U+10FF00 + byte, the last of a plane that has no
/// characters. Bytes that would be UTF-8 of such a scalar are taken for bytes of no text too, so that nothing means two things.
enum ArgumentBytes {
    private static let first: UInt32 = 0x10_FF00
    private static let range = first + 0x80...first + 0xFF

    /// The arguments after the program's name.
    static func arguments() -> [String] {
        (1..<max(1, Int(CommandLine.argc))).compactMap { index in
            CommandLine.unsafeArgv[index].map { text(of: FilePath(cString: $0).bytes) }
        }
    }

    static func text(of bytes: [UInt8]) -> String {
        var text = String.UnicodeScalarView()
        func append(_ byte: UInt8) { text.append(Unicode.Scalar(first + UInt32(byte))!) }
        FilePath.parse(bytes) { scalar, encoded in
            if range.contains(scalar.value) { encoded.forEach(append) } else { text.append(scalar) }
        } other: {
            append($0)
        }
        return String(text)
    }

    static func bytes(of text: String) -> [UInt8] {
        text.unicodeScalars.flatMap { scalar in
            range.contains(scalar.value) ? [UInt8(scalar.value - first)] : Array(String(scalar).utf8)
        }
    }

    /// Refuses arguments that are not UTF-8, but for the inputs of `prepare` and `tokenizer train`.
    ///
    /// - Parameters:
    ///   - arguments: as the parser takes them.
    ///   - inputs: the option whose values may have any bytes, as `--input`; nil where the command has none.
    /// - Throws: `UserError(.usage)`.
    static func check(_ arguments: [String], inputs: String?) throws {
        var isInput = false
        for argument in arguments {
            if argument.hasPrefix("--") { isInput = argument == inputs || argument.hasPrefix("\(inputs ?? "")=") }
            guard !isInput, argument.unicodeScalars.contains(where: { range.contains($0.value) }) else { continue }
            throw UserError(
                .usage,
                """
                the argument \(FilePath(bytes: bytes(of: argument))) is not UTF-8, as only names of --input may be: rename \
                what it names, or make a link to it with another name
                """
            )
        }
    }
}

extension FilePath: ExpressibleByArgument {
    /// - Parameter argument: as `ArgumentBytes` gives it.
    public init?(argument: String) { self.init(bytes: ArgumentBytes.bytes(of: argument)) }
}
