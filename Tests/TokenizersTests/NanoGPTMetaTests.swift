import Foundation
import Platform
import TestSupport
import Testing

@testable import Tokenizers

@Suite("nanoGPT's meta.pkl")
struct NanoGPTMetaTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Fixtures").path

    @Test(
        "the forms of meta.pkl that common scripts write are read, in old and new pickle protocols",
        arguments: ["numpy", "ordered", "list", "shared", "namespace"],
        [0, 2, 5]
    )
    func forms(name: String, version: Int) throws {
        let meta = try NanoGPTMeta(path: "\(Self.fixtures)/pickles/meta-\(name)-\(version).pkl")
        #expect(meta.vocabularySize == 6)
        #expect(meta.tokenizer.map { String(String.UnicodeScalarView($0.scalars)) } == "\n abhé")
    }

    @Test(
        "vocab_size can be a NumPy integer, and the file can be an ordered dictionary",
        arguments: ["good", "meta-numpy", "meta-ordered"]
    )
    func cases(name: String) throws {
        let meta = try NanoGPTMeta(path: "\(Self.fixtures)/cases/models/data/\(name)/meta.pkl")
        #expect(meta.vocabularySize == 12 && meta.tokenizer == nil)
    }

    @Test("an invalid vocab_size or itos is refused, and the message has the invalid value")
    func refused() throws {
        let folder = try TemporaryFolder()
        let path = folder("meta.pkl")
        let cases = [
            ("(dVvocab_size\ncpathlib\nPath\n)Rs.", "it is an object of pathlib.Path"), ("(d.", "it is missing"),
            ("(dVvocab_size\nL1180591620717411303424L\ns.", "it is an integer of more than 64 bits"),
            ("(dVvocab_size\nI2\nsVitos\n(dI5\nVa\nss.", "itos does not map ids below vocab_size 2 to strings"),
        ]
        for (pickle, message) in cases {
            try AtomicFile.write(Array(pickle.utf8), to: path)
            let error = #expect(throws: UserError.self) { try NanoGPTMeta(path: path) }
            #expect(error?.message.contains(message) == true, "\(String(describing: error))")
        }
    }
}
