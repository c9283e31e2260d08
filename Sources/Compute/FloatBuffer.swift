import Platform

/// The one owner of a piece of 64-byte aligned float memory, zeroed at creation and freed with its owner.
///
/// Large buffers come from the system page by page as they are first touched, already zero: making one costs nothing, the
/// workers share the first touch, and what is never touched takes no memory. They ask for large pages where the system has
/// them on request: 2 GB of a model's buffers were there after 4 s of page faults, and after 0.4 s with large pages.
public struct FloatBuffer: ~Copyable, @unchecked Sendable {
    /// 64-byte aligned, valid while the buffer lives.
    public let base: UnsafeMutablePointer<Float>
    /// In floats.
    public let count: Int
    /// What `munmap` takes, for memory that came from `mmap`.
    private let mapping: (base: UnsafeMutableRawPointer, size: Int)?

    /// From this many bytes on, a buffer has pages of its own.
    private static let mappedSize = 1 << 22
    private static let largePage = 1 << 21

    /// Zeros; `count` may be 0.
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
                // Whole large pages only: what is left over would cost up to 2 MB more than is asked for.
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

    /// Room for `size` bytes that begin at a large page; nil when the system has no more.
    private static func map(_ size: Int) -> (base: UnsafeMutableRawPointer, size: Int)? {
        let room = size + largePage
        let flags = MAP_PRIVATE | MAP_ANONYMOUS
        guard let base = mmap(nil, room, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED else { return nil }
        return (base, room)
    }

    /// The elements, valid while the buffer lives.
    public var elements: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: base, count: count)
    }
}
