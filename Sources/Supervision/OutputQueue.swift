import Platform

/// Lines on their way to a descriptor that may be slow: written when it is ready, so that nobody waits for it.
struct OutputQueue {
    let descriptor: Int32
    /// Nothing more can be written; what comes is thrown away. The error's number.
    private(set) var failure: Int32?
    private var lines = OutputLines()
    /// When something was last taken, or began to wait.
    private var lastTaken = ContinuousClock.now

    /// How long a reader may take nothing before it is none.
    private let patience: Duration

    init(descriptor: Int32, patience: Duration = OutputWriter.patience) {
        self.descriptor = descriptor
        self.patience = patience
    }

    var isEmpty: Bool { lines.isEmpty }
    /// More is better left with who says it. Where nobody reads it is taken, and the oldest are dropped.
    var isFull: Bool { lines.isFull && !isUnread }
    /// Nobody reads.
    var isUnread: Bool { !isEmpty && ContinuousClock.now - lastTaken >= patience }

    mutating func append(_ more: ArraySlice<UInt8>) {
        guard failure == nil else { return }
        if isEmpty { lastTaken = .now }
        lines.append(Array(more), mayDrop: isUnread)
    }

    /// To be called when `poll` says that the descriptor is ready, or has failed.
    mutating func writeSome() {
        let bytes = lines.next()
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if count >= 0 {
            lines.wrote(count)
            lastTaken = .now
        } else if errno != EINTR && errno != EAGAIN {
            failure = errno
            lines = OutputLines()
        }
    }
}
