/// The one owner of a piece of 64-byte aligned float memory, zeroed at creation and freed with its owner.
public struct FloatBuffer: ~Copyable, @unchecked Sendable {
    public let base: UnsafeMutablePointer<Float>
    public let count: Int

    public init(count: Int) {
        precondition(count >= 0)
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 4, alignment: 64)
        base = raw.bindMemory(to: Float.self, capacity: count)
        base.initialize(repeating: 0, count: count)
        self.count = count
    }

    deinit {
        UnsafeMutableRawPointer(base).deallocate()
    }

    /// The elements, valid while the buffer lives.
    public var elements: UnsafeMutableBufferPointer<Float> {
        UnsafeMutableBufferPointer(start: base, count: count)
    }
}
