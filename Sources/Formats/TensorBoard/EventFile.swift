import CVectorKernels
import Platform

/// A TensorBoard event file, to which records of `tensorflow.Event` are appended.
///
/// A record consists of the data's length (u64), the masked CRC32C of these 8 bytes, the data, and the masked CRC32C of
/// the data. Numbers are little-endian. Source: TFRecord and event.proto, as TensorBoard reads them.
public final class EventFile {
    /// The path of the file.
    public let path: String
    private let descriptor: Int32

    /// Creates a file `events.out.tfevents.SECONDS.HOST` in a folder. The folder is created if it does not exist.
    ///
    /// - Parameters:
    ///   - folder: the folder of the run's event files.
    ///   - restart: the step at which this file begins, if an earlier file in the folder may contain later steps.
    ///     TensorBoard then ignores what earlier files say from this step on.
    /// - Throws: `UserError(.inputOutput)` if the file cannot be created or written.
    public init(folder: String, restart: Int? = nil) throws {
        try FileSystem.createFolder(folder)
        var descriptor: Int32 = -1
        var path = ""
        // Two runs may start in the same second. The suffix keeps their files in order, because TensorBoard reads them
        // in the order of their names.
        for number in 0..<1000 where descriptor < 0 {
            let suffix = number == 0 ? "" : ".\(number)"
            path = "\(folder)/events.out.tfevents.\(time(nil)).\(Self.hostName)\(suffix)"
            descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o666)
            guard descriptor >= 0 || errno == EEXIST else { throw FileSystem.failure("cannot write", path, errno) }
        }
        guard descriptor >= 0 else { throw FileSystem.failure("cannot write", path, EEXIST) }
        self.path = path
        self.descriptor = descriptor
        try append(step: nil) { $0.string(3, "brain.Event:2") }
        if let restart { try append(step: restart) { $0.message(7) { $0.integer(1, 1) } } }
    }

    deinit { close(descriptor) }

    /// Appends one event with scalars and texts.
    ///
    /// - Parameters:
    ///   - step: the iteration that the event belongs to.
    ///   - scalars: tags and values.
    ///   - texts: tags and texts, which TensorBoard shows as Markdown.
    /// - Throws: `UserError(.inputOutput)` if the event cannot be written, such as when the disk is full.
    public func append(
        step: Int,
        scalars: [(tag: String, value: Double)] = [],
        texts: [(tag: String, text: String)] = []
    ) throws {
        try append(step: step) { event in
            event.message(5) { summary in
                for (tag, value) in scalars {
                    summary.message(1) {
                        $0.string(1, tag)
                        $0.float(2, Float(value))
                    }
                }
                for (tag, text) in texts {
                    summary.message(1) {
                        $0.string(1, tag)
                        // A tensor of one string, for TensorBoard's text plugin.
                        $0.message(8) {
                            $0.integer(1, 7)
                            $0.message(2) { $0.message(2) { $0.integer(1, 1) } }
                            $0.string(8, text)
                        }
                        $0.message(9) {
                            $0.message(1) { $0.string(1, "text") }
                            $0.integer(4, 2)
                        }
                    }
                }
            }
        }
    }

    private func append(step: Int?, _ body: (inout ProtobufWriter) -> Void) throws {
        var event = ProtobufWriter()
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        event.double(1, Double(now.tv_sec) + Double(now.tv_nsec) / 1e9)
        if let step { event.integer(2, step) }
        body(&event)
        let record = Self.record(event.bytes)
        // Write each record with one call, so that a crash of the process leaves either the whole record or nothing.
        let written = record.withUnsafeBytes { FileSystem.write($0, to: descriptor) }
        guard written else { throw FileSystem.failure("cannot write", path, errno) }
    }

    static func record(_ data: [UInt8]) -> [UInt8] {
        func littleEndian<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] {
            withUnsafeBytes(of: number.littleEndian) { Array($0) }
        }
        let length = littleEndian(UInt64(data.count))
        return length + littleEndian(maskedChecksum(length)) + data + littleEndian(maskedChecksum(data))
    }

    /// Rotates the CRC and adds a constant, as the format requires, because a CRC of bytes that contain CRCs would be
    /// weak.
    static func maskedChecksum(_ bytes: [UInt8]) -> UInt32 {
        let crc = dt_crc32c(0, bytes, bytes.count)
        return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
    }

    private static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
        let name = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        // The host name becomes part of a file name.
        return String(decoding: name, as: UTF8.self).replacing("/", with: "-")
    }
}

/// Writes messages in the wire format of Protocol Buffers (developers.google.com/protocol-buffers/docs/encoding).
struct ProtobufWriter {
    private(set) var bytes: [UInt8] = []

    mutating func integer(_ field: Int, _ value: Int) {
        key(field, wireType: 0)
        variable(UInt64(bitPattern: Int64(value)))
    }

    mutating func double(_ field: Int, _ value: Double) {
        key(field, wireType: 1)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
    }

    mutating func float(_ field: Int, _ value: Float) {
        key(field, wireType: 5)
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
    }

    mutating func string(_ field: Int, _ value: String) { content(field, Array(value.utf8)) }

    mutating func message(_ field: Int, _ body: (inout ProtobufWriter) -> Void) {
        var message = ProtobufWriter()
        body(&message)
        content(field, message.bytes)
    }

    private mutating func content(_ field: Int, _ value: [UInt8]) {
        key(field, wireType: 2)
        variable(UInt64(value.count))
        bytes += value
    }

    private mutating func key(_ field: Int, wireType: Int) { variable(UInt64(field << 3 | wireType)) }

    /// Appends a varint: seven bits per byte, lowest first. The top bit is set if more bytes follow.
    private mutating func variable(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(rest))
    }
}
