/// Memory that collectives read and write.
///
/// It is freed when nobody retains it: neither the caller nor a communication thread whose transport may still use it.
package final class CollectiveMemory: @unchecked Sendable {
    /// 64-byte aligned.
    package let bytes: UnsafeMutableRawBufferPointer

    /// Zeros.
    package init(byteCount: Int) {
        bytes = .allocate(byteCount: max(byteCount, 1), alignment: 64)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    /// A copy of these values.
    package convenience init<Value: BitwiseCopyable>(_ values: [Value]) {
        self.init(byteCount: values.count * MemoryLayout<Value>.stride)
        values.withUnsafeBytes { bytes.copyMemory(from: $0) }
    }

    deinit { bytes.deallocate() }

    /// The first of the memory's floats.
    package var floats: UnsafeMutablePointer<Float> { bytes.bindMemory(to: Float.self).baseAddress! }

    /// A copy of the first `count` values.
    package func values<Value: BitwiseCopyable>(of type: Value.Type = Value.self, count: Int) -> [Value] {
        precondition(count * MemoryLayout<Value>.stride <= bytes.count, "\(count) values in \(bytes.count) bytes")
        // An array of capacity 0 is one object that all threads share, and its initializer writes to it.
        guard count > 0 else { return [] }
        return [Value](unsafeUninitializedCapacity: count) { values, initialized in
            let size = count * MemoryLayout<Value>.stride
            UnsafeMutableRawBufferPointer(values).copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[..<size]))
            initialized = count
        }
    }
}
