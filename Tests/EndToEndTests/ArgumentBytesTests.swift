import Platform
import TestSupport
import Testing

@testable import ddp_train

@Suite struct ArgumentBytesTests {
    private static let latin1: [UInt8] = Array("caf".utf8) + [0xE9]

    @Test(
        "No byte of an argument is lost, and none becomes another",
        arguments: [latin1, [0xFF, 0xFE, 0x80], Array("zwölf 𝄞".utf8), [0xC3], [], Array("\u{10FFE9}\u{10FEFF}".utf8)]
    )
    func roundTrip(bytes: [UInt8]) {
        let text = ArgumentBytes.text(of: bytes)
        #expect(ArgumentBytes.bytes(of: text) == bytes)
        #expect(FilePath(argument: text)?.bytes == bytes)
        if String(validating: bytes, as: UTF8.self) != nil, bytes.first != 0xF4 {
            #expect(Array(text.utf8) == bytes)
        }
    }

    @Test("Only texts to read may have names that are not UTF-8")
    func check() throws {
        let normalizer = ArgumentNormalizer(try OptionTable(of: DDPTrain.self))
        let name = ArgumentBytes.text(of: Self.latin1)
        for accepted in [
            ["prepare", "--input", "a", name, "--name=b"], ["prepare", "--input=\(name)", "--name=b"],
            ["tokenizer", "train", "--vocab_size=300", "--input", name, "--out=c"],
        ] {
            #expect(throws: Never.self) { try normalizer.normalize(accepted) }
        }
        for (refused, argument) in [
            (["prepare", "--input", "a", "--name", name], "--name=caf\\xE9"),
            (["prepare", name], "caf\\xE9"),
            ([name], "caf\\xE9"),
            (["--out_dir=\(name)"], "--out_dir=caf\\xE9"),
            (["launch", "-n", "2", "--", "--dataset", name], "caf\\xE9"),
            (["tokenizer", "encode", "--input", name], "--input=caf\\xE9"),
        ] {
            let error = #expect(throws: UserError.self) { try normalizer.normalize(refused) }
            #expect(error?.kind == .usage)
            #expect(error?.message.hasPrefix("the argument \(argument) is not UTF-8") == true, "\(error as Any)")
        }
    }

    @Test("A file's bytes come from the command line to the system and back")
    func program() throws {
        let folder = try TemporaryFolder()
        let program = Program(in: folder)
        let run = "\(try Program.path()) prepare --name=mine --tokenizer=byte --input"
        let missing = try program.shell("\(run) \"$(printf 'caf\\351')\"")
        #expect(missing.exitCode == 74, "\(missing)")
        #expect(missing.errors == "ddp-train: error: cannot open caf\\xE9: No such file or directory\n")
        #if os(Linux)
            let made = try program.shell(
                "f=\"$(printf 'caf\\351')\"; yes text | head -c 1000 > \"$f\"; \(run) \"$f\"; rm \"$f\""
            )
            #expect(made.output.hasPrefix("prepared data/mine: 900 train and 100 val tokens"), "\(made)")
            #expect(try FileSystem.read(folder("data/mine/dataset.json")).contains(UInt8(ascii: "\\")))
        #endif
    }
}
