import CVectorKernels
import Platform

/// The memory into which a matrix product packs its factors. It takes up to 930 KB, too much for a thread's stack.
///
/// Each thread has its own memory. The thread's first product allocates it, and it is freed when the thread ends.
enum ProductScratch {
    /// The calling thread's memory: 64-byte aligned, uninitialized, large enough for a product with any instruction
    /// set.
    static var threadLocal: UnsafeMutablePointer<Float> {
        (pthread_getspecific(key) ?? allocate()).assumingMemoryBound(to: Float.self)
    }

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let failure = pthread_key_create(&key) { free($0) }
        precondition(failure == 0, "pthread_key_create failed with \(failure)")
        return key
    }()

    private static let count = Kernels.available.map { dt_kernels_named($0)!.pointee.product_scratch }.max()!

    private static func allocate() -> UnsafeMutableRawPointer {
        var memory: UnsafeMutableRawPointer?
        let failure = posix_memalign(&memory, 64, count * MemoryLayout<Float>.stride)
        precondition(failure == 0, "cannot allocate \(count) floats of scratch memory for a matrix product")
        pthread_setspecific(key, memory)
        return memory!
    }
}
