import CVectorKernels

/// What goes over a control connection.
///
/// A frame is `DDPC`, the kind (1 byte), the payload's length (2 bytes), the payload, and a CRC32C of all that (4
/// bytes), with numbers in little-endian order:
///
/// | kind | payload |
/// | --- | --- |
/// | 1 heartbeat | number (8 bytes), activity, stage (1 byte each), then 8 bytes each: work, operations, offered, sent, wanted, received, arrived, round trip |
/// | 2 failure | length of the culprit (2 bytes), culprit, reason, both in UTF-8 |
/// | 3 leaving | nothing |
/// | 4 stop | nothing |
/// | 5 abandoned | nothing |
/// | 6 suspicion | as of a failure |
enum ControlMessage: Equatable, Sendable {
    /// The sender lives. Heartbeats of a connection are numbered from 0.
    case heartbeat(number: UInt64, ProgressReport)
    /// To rank 0: what the sender noticed. From rank 0: the verdict, which is the same for all ranks.
    case failure(Failure)
    /// The sender is done; that its connection ends now is no failure.
    case leaving
    /// The sender was asked to stop: the job is to end after saving.
    case stop
    /// The sender was asked to stop before training began: the job ends, and nobody has anything to save.
    case abandoned
    /// The sender's link on the ring broke for this reason, unless rank 0 knows of a lost rank.
    case suspicion(Failure)

    static let magic: [UInt8] = Array("DDPC".utf8)
    static let headerSize = 7
    static let checksumSize = 4
    static let payloadLimit = 4096
    fileprivate static let heartbeatSize = 74

    private var kind: UInt8 {
        switch self {
        case .heartbeat: 1
        case .failure: 2
        case .leaving: 3
        case .stop: 4
        case .abandoned: 5
        case .suspicion: 6
        }
    }

    fileprivate static func isPossible(kind: UInt8, length: Int) -> Bool {
        switch kind {
        case 1: length == heartbeatSize
        case 2, 6: (2...payloadLimit).contains(length)
        case 3...5: length == 0
        default: false
        }
    }

    /// The frame. A failure must be `bounded`.
    var bytes: [UInt8] {
        var payload: [UInt8] = []
        switch self {
        case .heartbeat(let number, let report):
            payload.appendLittleEndian(number)
            payload.append(report.activity.rawValue)
            payload.append(report.stage.rawValue)
            for count in [
                report.work, report.operations, report.offered, report.sent, report.wanted, report.received,
                report.arrived, report.roundTrip,
            ] {
                payload.appendLittleEndian(count)
            }
        case .failure(let failure), .suspicion(let failure):
            payload.appendLittleEndian(UInt16(failure.culprit.utf8.count))
            payload += failure.culprit.utf8
            payload += failure.reason.utf8
        case .leaving, .stop, .abandoned: break
        }
        precondition(payload.count <= Self.payloadLimit, "a control message of \(payload.count) bytes")
        var frame = Self.magic
        frame.append(kind)
        frame.appendLittleEndian(UInt16(payload.count))
        frame += payload
        frame.appendLittleEndian(dt_crc32c(0, frame, frame.count))
        return frame
    }

    fileprivate init?(kind: UInt8, payload: ArraySlice<UInt8>) {
        switch kind {
        case 1:
            func count(_ index: Int) -> UInt64 { payload.littleEndian(at: 10 + 8 * index) }
            guard let activity = ProgressBoard.Activity(rawValue: payload[payload.startIndex + 8]),
                let stage = ProgressBoard.Stage(rawValue: payload[payload.startIndex + 9])
            else { return nil }
            let report = ProgressReport(
                activity: activity,
                stage: stage,
                work: count(0),
                operations: count(1),
                offered: count(2),
                sent: count(3),
                wanted: count(4),
                received: count(5),
                arrived: count(6),
                roundTrip: count(7)
            )
            self = .heartbeat(number: payload.littleEndian(at: 0), report)
        case 2, 6:
            let culpritLength = Int(payload.littleEndian(at: 0) as UInt16)
            let texts = payload.dropFirst(2)
            guard culpritLength <= texts.count,
                let culprit = String(validating: texts.prefix(culpritLength), as: UTF8.self),
                let reason = String(validating: texts.dropFirst(culpritLength), as: UTF8.self)
            else { return nil }
            let failure = Failure(culprit: culprit, reason: reason)
            self = kind == 2 ? .failure(failure) : .suspicion(failure)
        case 3: self = .leaving
        case 4: self = .stop
        case 5: self = .abandoned
        default: return nil
        }
    }
}

/// Finds the messages in what comes over a control connection, in pieces of any size.
struct ControlMessageReader {
    /// Something else came than a message; nothing after it means anything.
    struct Damage: Error, Equatable {
        let reason: String
    }

    private var bytes: [UInt8] = []

    mutating func append(_ more: some Sequence<UInt8>) { bytes += more }

    /// - Returns: nil when the next message is not all there yet.
    /// - Throws: `Damage`, as early as it shows.
    mutating func next() throws(Damage) -> ControlMessage? {
        guard zip(bytes, ControlMessage.magic).allSatisfy(==) else {
            throw Damage(reason: "what came is no control message")
        }
        guard bytes.count >= ControlMessage.headerSize else { return nil }
        let kind = bytes[4]
        let length = Int(bytes[...].littleEndian(at: 5) as UInt16)
        guard ControlMessage.isPossible(kind: kind, length: length) else {
            throw Damage(reason: "a control message of kind \(kind) with \(length) bytes came, which does not exist")
        }
        let checked = ControlMessage.headerSize + length
        guard bytes.count >= checked + ControlMessage.checksumSize else { return nil }
        guard dt_crc32c(0, bytes, checked) == bytes[...].littleEndian(at: checked) else {
            throw Damage(reason: "wrong checksum (CRC32C) in a control message")
        }
        guard let message = ControlMessage(kind: kind, payload: bytes[ControlMessage.headerSize..<checked]) else {
            throw Damage(reason: "a control message of kind \(kind) came that says nothing")
        }
        bytes.removeFirst(checked + ControlMessage.checksumSize)
        return message
    }
}

extension Failure {
    /// Short enough for a control message, and one line: control characters, which could deceive on a terminal, are
    /// spaces.
    var bounded: Failure {
        Failure(culprit: Self.bounded(culprit, 500), reason: Self.bounded(reason, 3000))
    }

    private static func bounded(_ text: String, _ limit: Int) -> String {
        var line = String.UnicodeScalarView()
        var size = 0
        for scalar in text.unicodeScalars {
            let scalar = scalar.properties.generalCategory == .control ? " " : scalar
            size += UTF8.width(scalar)
            guard size <= limit else { return String(line) + "…" }
            line.append(scalar)
        }
        return String(line)
    }
}

extension [UInt8] {
    fileprivate mutating func appendLittleEndian<Number: FixedWidthInteger>(_ number: Number) {
        for byte in 0..<Number.bitWidth / 8 { append(UInt8(truncatingIfNeeded: number >> (8 * byte))) }
    }
}

extension ArraySlice<UInt8> {
    fileprivate func littleEndian<Number: FixedWidthInteger>(at offset: Int) -> Number {
        (0..<Number.bitWidth / 8).reduce(0) { $0 | Number(self[startIndex + offset + $1]) << (8 * $1) }
    }
}
