import Foundation
import Platform
import TestSupport
import Testing

@testable import Collectives

@Suite("Secret of a job")
struct JobSecretTests {
    private let text = "0123456789abcdef"

    private func message(_ environment: [String: String]) -> String? {
        do {
            _ = try JobSecret.of(environment: environment)
            return nil
        } catch CollectiveError.usage(let line) { return line } catch { return "not a usage error: \(error)" }
    }

    private func write(_ text: String, _ folder: TemporaryFolder, mode: Int = 0o600) throws -> String {
        let path = folder("secret")
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return path
    }

    @Test("Without one there is the public secret, for loopback")
    func none() throws {
        #expect(try JobSecret.of(environment: [:]).isPublic)
        #expect(try JobSecret.of(environment: ["DDP_TRAIN_SECRET": ""]).isPublic)
    }

    @Test("From the environment and from a file it is the same, without the white space around it")
    func sources() throws {
        let folder = try TemporaryFolder()
        let path = try write(" \(text)\n", folder)
        let secrets = [
            try JobSecret.of(environment: ["DDP_TRAIN_SECRET": text]),
            try JobSecret.of(environment: ["DDP_TRAIN_SECRET": "\t\(text)\r\n"]),
            try JobSecret.of(environment: ["DDP_TRAIN_SECRET_FILE": path]),
        ]
        for secret in secrets {
            #expect(!secret.isPublic)
            #expect(secret.key == JobSecret(text).key)
        }
    }

    @Test("Short ones, and two at once, are refused")
    func refused() throws {
        #expect(message(["DDP_TRAIN_SECRET": "123456789012345 "])?.contains("15 bytes is too short") == true)
        #expect(message(["DDP_TRAIN_SECRET": "short"])?.contains("openssl rand -hex 32") == true)
        #expect(message(["DDP_TRAIN_SECRET": text, "DDP_TRAIN_SECRET_FILE": "/x"])?.contains("both set") == true)
        #expect(message(["DDP_TRAIN_SECRET": "short"])?.contains("\"short\"") == false)
    }

    @Test("A file's secret is its bytes, all of them")
    func bytes() throws {
        let folder = try TemporaryFolder()
        func key(_ bytes: [UInt8]) throws -> JobSecret {
            try AtomicFile.write(bytes, to: folder("secret"))
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: folder("secret"))
            return try JobSecret.of(environment: ["DDP_TRAIN_SECRET_FILE": folder("secret")])
        }
        let high = try (0..<2).map { try key([UInt8](repeating: 0x80 + UInt8($0), count: 32)) }
        #expect(high[0].key != high[1].key)
        let long = try (0..<2).map { try key([UInt8](repeating: 65, count: 5000) + [UInt8($0) + 65]) }
        #expect(long[0].key != long[1].key)
        #expect(throws: CollectiveError.self) { try key([UInt8](repeating: 65, count: 1 << 17)) }
        #expect(message(["DDP_TRAIN_SECRET": text + "\u{FFFD}"])?.contains("no text in UTF-8") == true)
    }

    @Test("A file that others may read is refused with the mend", arguments: [0o644, 0o640, 0o604, 0o620])
    func modes(mode: Int) throws {
        let folder = try TemporaryFolder()
        let path = try write(text, folder, mode: mode)
        #expect(message(["DDP_TRAIN_SECRET_FILE": path])?.contains("chmod 600 \(path)") == true)
    }

    @Test("A file that is not there, or is a folder, is named")
    func unreadable() throws {
        let folder = try TemporaryFolder()
        let missing = folder("none")
        #expect(
            message(["DDP_TRAIN_SECRET_FILE": missing])?.contains("\(missing): cannot be read: No such file") == true
        )
        try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path)
        #expect(message(["DDP_TRAIN_SECRET_FILE": folder.path])?.contains("cannot be read: Is a directory") == true)
    }

    @Test("A secret made up has 64 digits and is another each time")
    func random() {
        let texts = (0..<50).map { _ in JobSecret.randomText() }
        #expect(Set(texts).count == 50)
        for text in texts { #expect(text.count == 64 && text.allSatisfy(\.isHexDigit)) }
    }
}
