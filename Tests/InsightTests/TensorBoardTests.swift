import Foundation
import Platform
import TestSupport
import Testing

@testable import Formats
@testable import Insight
@testable import Training

@Suite("TensorBoard events")
struct TensorBoardTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// The value of a field in the protobuf wire format.
    private enum Field: Equatable {
        case number(UInt64)
        case bytes([UInt8])
    }

    private func fields(_ bytes: [UInt8]) throws -> [(number: Int, value: Field)] {
        var result: [(Int, Field)] = []
        var place = 0
        func variable() -> UInt64 {
            var (value, shift): (UInt64, UInt64) = (0, 0)
            while true {
                let byte = bytes[place]
                place += 1
                value |= UInt64(byte & 0x7F) << shift
                shift += 7
                if byte < 0x80 { return value }
            }
        }
        func fixed(_ count: Int) -> UInt64 {
            defer { place += count }
            return bytes[place..<place + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        while place < bytes.count {
            let key = variable()
            switch key & 7 {
            case 0: result.append((Int(key >> 3), .number(variable())))
            case 1: result.append((Int(key >> 3), .number(fixed(8))))
            case 5: result.append((Int(key >> 3), .number(fixed(4))))
            default:
                let count = Int(variable())
                result.append((Int(key >> 3), .bytes(Array(bytes[place..<place + count]))))
                place += count
            }
        }
        return result
    }

    /// The events of a file. Checks the checksums.
    private func events(_ path: String) throws -> [[(number: Int, value: Field)]] {
        let bytes = try FileSystem.read(path)
        var place = 0
        var result: [[(number: Int, value: Field)]] = []
        func word(_ count: Int) -> UInt64 {
            defer { place += count }
            return bytes[place..<place + count].reversed().reduce(0) { $0 << 8 | UInt64($1) }
        }
        while place < bytes.count {
            let start = place
            let length = Int(word(8))
            #expect(word(4) == UInt64(EventFile.maskedChecksum(Array(bytes[start..<start + 8]))))
            let data = Array(bytes[place..<place + length])
            place += length
            #expect(word(4) == UInt64(EventFile.maskedChecksum(data)))
            result.append(try fields(data))
        }
        return result
    }

    /// The tags of an event with their scalars or texts.
    private func values(_ event: [(number: Int, value: Field)]) throws -> [(tag: String, value: String)] {
        var result: [(String, String)] = []
        for case (5, .bytes(let summary)) in event {
            for case (1, .bytes(let value)) in try fields(summary) {
                let parts = try fields(value)
                guard case .bytes(let tag)? = parts.first(where: { $0.number == 1 })?.value else { continue }
                var text = ""
                for (number, part) in parts {
                    if number == 2, case .number(let bits) = part { text = "\(Float(bitPattern: UInt32(bits)))" }
                    if number == 8, case .bytes(let tensor) = part {
                        for case (8, .bytes(let content)) in try fields(tensor) {
                            text = String(decoding: content, as: UTF8.self)
                        }
                    }
                }
                result.append((String(decoding: tag, as: UTF8.self), text))
            }
        }
        return result
    }

    @Test("A record equals the record that TensorFlow writes for the same bytes")
    func record() {
        // Expected bytes: tf.io.TFRecordWriter for "abc". scripts/check/event_files.sh checks whole files with
        // TensorBoard's reader.
        let record = EventFile.record(Array("abc".utf8))
        #expect(record.count == 8 + 4 + 3 + 4)
        #expect(Array(record[..<8]) == [3, 0, 0, 0, 0, 0, 0, 0])
        // CRC32C of "abc" is 0x364B3FB7.
        let crc: UInt32 = 0x364B_3FB7
        let masked = ((crc >> 15) | (crc << 17)) &+ 0xA282_EAD8
        #expect(Array(record[15...]) == withUnsafeBytes(of: masked.littleEndian) { Array($0) })
    }

    @Test(
        "Steps, evaluations, sample and configuration become events; a resumed run writes the step from which it restarts"
    )
    func run() throws {
        try FileSystem.createFolder(folder("samples"))
        try AtomicFile.write("O Romeo,\nRomeo\n", to: folder("samples/step-00000004.txt"))
        try AtomicFile.write("n_layer = 2\n", to: folder("config.toml"))
        let model = SmallestRun.model()
        var step = StepReport(
            iteration: 0,
            loss: 2.5,
            learningRate: 0.25,
            gradientNorm: 1.5,
            tokens: 100,
            isLogged: true,
            seconds: 0.5,
            waitingSeconds: 0,
            communicationSeconds: 0,
            tokensPerSecond: 200,
            peakShare: 0.5
        )
        var notes: [String] = []
        let log = TensorBoardLog(outputFolder: folder.path) { notes.append($0) }
        log.stepDone(step)
        step.isLogged = false
        log.stepDone(step)
        let losses = EvaluationLosses(train: 1.25, validation: 1.5)
        log.evaluationDone(EvaluationReport(iteration: 4, losses: losses, isBest: true, seconds: 1), model: model)
        let first = try #require(try FileSystem.names(inFolder: folder("tensorboard")).first)
        #expect(first.hasPrefix("events.out.tfevents."))
        let written = try events(folder("tensorboard/") + first)
        #expect(written.count == 4)
        #expect(written[0].contains { $0.number == 3 && $0.value == .bytes(Array("brain.Event:2".utf8)) })
        let found = try written.map(values)
        #expect(found[1].map(\.tag) == ["configuration"] && found[1][0].value == "    n_layer = 2\n    ")
        #expect(found[2].map(\.tag).contains("train/gradient_norm"))
        #expect(found[2].map(\.value) == ["2.5", "0.25", "1.5", "200.0", "0.5"])
        #expect(found[3].map(\.tag) == ["eval/train_loss", "eval/val_loss", "sample"])
        #expect(found[3].map(\.value) == ["1.25", "1.5", "    O Romeo,\n    Romeo\n    "])
        #expect(written[3].contains { $0.number == 2 && $0.value == .number(4) })

        step.isLogged = true
        step.iteration = 3
        TensorBoardLog(outputFolder: folder.path) { notes.append($0) }.stepDone(step)
        let second = try #require(
            try FileSystem.names(inFolder: folder("tensorboard")).first { $0 != first }
        )
        let resumed = try events(folder("tensorboard/") + second)
        #expect(resumed[1].contains { $0.number == 2 && $0.value == .number(3) })
        #expect(resumed[1].contains { $0.number == 7 && $0.value == .bytes([8, 1]) })
        #expect(notes.isEmpty)
    }

    @Test("Events that cannot be written give one warning and no error")
    func unwritable() throws {
        try AtomicFile.write("in the way", to: folder("tensorboard"))
        var notes: [String] = []
        let log = TensorBoardLog(outputFolder: folder.path) { notes.append($0) }
        for _ in 0..<3 { log.stepDone(SmallestRun.step(0)) }
        #expect(notes.count == 1 && notes[0].hasPrefix("warning: TensorBoard events are no longer written: "))
    }
}
