import Platform

/// Owns 64-byte aligned memory for floats, which starts as zeros and is freed with its owner.
///
/// Large buffers come from `mmap`: the system adds zeroed pages at their first access. Creating such a buffer is
/// therefore cheap, workers share the cost of the first access, and untouched pages take no memory. On Linux large
/// buffers request huge pages: 2 GB of a model's buffers took 4 s of page faults without them and 0.4 s with them.
public struct FloatBuffer: ~Copyable, @unchecked Sendable {
    /// The first element; 64-byte aligned, valid while the buffer exists.
    public let base: UnsafeMutablePointer<Float>
    /// The number of floats.
    public let count: Int
    /// The arguments for `munmap`, if the memory came from `mmap`.
    private let mapping: (base: UnsafeMutableRawPointer, size: Int)?

    /// Buffers of at least this many bytes use `mmap`.
    private static let mappedSize = 1 << 22
    private static let largePage = 1 << 21

    /// Allocates `count` zeros; `count` may be 0.
    public init(count: Int) {
        precondition(count >= 0)
        self.count = count
        let size = max(count, 1) * MemoryLayout<Float>.stride
        if size >= Self.mappedSize, let mapped = Self.map(size) {
            mapping = mapped
            let start = (UInt(bitPattern: mapped.base) + UInt(Self.largePage - 1)) / UInt(Self.largePage)
            let raw = UnsafeMutableRawPointer(bitPattern: start * UInt(Self.largePage))!
            base = raw.bindMemory(to: Float.self, capacity: count)
            #if os(Linux)
                // Request huge pages only for whole ones: a huge page for the tail would take up to 2 MB more than
                // needed.
                madvise(raw, size / Self.largePage * Self.largePage, Int32(MADV_HUGEPAGE))
            #endif
        } else {
            mapping = nil
            let raw = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
            base = raw.bindMemory(to: Float.self, capacity: count)
            base.initialize(repeating: 0, count: count)
        }
    }

    deinit {
        if let mapping {
            munmap(mapping.base, mapping.size)
        } else {
            UnsafeMutableRawPointer(base).deallocate()
        }
    }

    /// Maps memory that has room for `size` bytes from a huge-page boundary on. Returns nil if the system has no memory
    /// left.
    private static func map(_ size: Int) -> (base: UnsafeMutableRawPointer, size: Int)? {
        let room = size + largePage
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        guard let base = mmap(nil, room, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else { return nil }
        return (base, room)
    }

    /// The elements; valid while the buffer exists.
    public var elements: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: base, count: count)
    }
}
