import Platform

/// Bytes on their way to a descriptor that may be slow: written when it is ready, so that nobody waits for it.
struct OutputQueue {
    let descriptor: Int32
    /// Nothing more can be written; what comes is thrown away. The error's number.
    private(set) var failure: Int32?
    private var bytes: [UInt8] = []
    private var written = 0

    init(descriptor: Int32) { self.descriptor = descriptor }

    var isEmpty: Bool { written == bytes.count }
    var isFull: Bool { bytes.count - written >= 1 << 20 }

    mutating func append(_ more: ArraySlice<UInt8>) {
        if failure == nil { bytes += more }
    }

    /// To be called when `poll` says that the descriptor is ready, or has failed.
    mutating func writeSome() {
        // As much as a pipe that is ready has room for.
        let count = bytes.withUnsafeBytes {
            write(descriptor, $0.baseAddress! + written, min(4096, $0.count - written))
        }
        if count >= 0 {
            written += count
        } else if errno != EINTR && errno != EAGAIN {
            failure = errno
            written = bytes.count
        }
        if isEmpty {
            bytes.removeAll(keepingCapacity: true)
            written = 0
        } else if written >= 1 << 16 {
            bytes.removeFirst(written)
            written = 0
        }
    }
}
