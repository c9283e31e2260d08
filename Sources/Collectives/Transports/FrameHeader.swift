import CVectorKernels

/// What goes before the bytes of a message, over TCP and MPI alike: 24 bytes in the order of the network,
/// magic, iteration, operation, index, length, CRC32C of all that and the bytes.
struct FrameHeader {
    static let size = 24
    private static let magic: UInt32 = 0x4444_5054  // DDPT

    private var words: (UInt32, UInt32, UInt32, UInt32, UInt32, UInt32) = (0, 0, 0, 0, 0, 0)

    init() {}

    init(_ label: MessageLabel, _ bytes: UnsafeRawBufferPointer) {
        words = (
            Self.magic.bigEndian, label.step.bigEndian, label.operation.bigEndian, label.index.bigEndian,
            UInt32(bytes.count).bigEndian, 0
        )
        let own = withBytes { dt_crc32c(0, $0.baseAddress, 20) }
        words.5 = dt_crc32c(own, bytes.baseAddress, bytes.count).bigEndian
    }

    /// - Throws: `TransportError.corrupt` when it is not that of this message.
    func check(_ label: MessageLabel, _ length: Int, _ peer: Int) throws {
        guard UInt32(bigEndian: words.0) == Self.magic else {
            throw TransportError.corrupt(peer: peer, reason: "what came is no message")
        }
        let found = MessageLabel(
            step: UInt32(bigEndian: words.1),
            operation: UInt32(bigEndian: words.2),
            index: UInt32(bigEndian: words.3)
        )
        guard found == label, UInt32(bigEndian: words.4) == length else {
            throw TransportError.corrupt(
                peer: peer,
                reason:
                    "out of step: it sent \(UInt32(bigEndian: words.4)) bytes as message \(found.index) of operation "
                    + "\(found.operation), iteration \(found.step), where \(length) bytes of message \(label.index) of "
                    + "operation \(label.operation), iteration \(label.step), were due"
            )
        }
    }

    /// - Throws: `TransportError.corrupt` when header or bytes are not as they were sent.
    func checkSum(_ label: MessageLabel, _ bytes: UnsafeRawBufferPointer, _ peer: Int) throws {
        guard words.5 == FrameHeader(label, bytes).words.5 else {
            throw TransportError.corrupt(
                peer: peer,
                reason: "wrong checksum (CRC32C) in message \(label.index) of operation \(label.operation), "
                    + "iteration \(label.step)"
            )
        }
    }

    func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try withUnsafeBytes(of: words, body)
    }

    mutating func withMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) throws -> R) rethrows -> R {
        try withUnsafeMutableBytes(of: &words, body)
    }
}
