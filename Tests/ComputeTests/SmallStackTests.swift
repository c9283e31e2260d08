import CVectorKernels
import Platform
import Testing

@testable import Compute

/// Code that needs large scratch memory must not take it from the stack: a task's thread may have 512 KB, and a user
/// can limit a process to less.
@Suite("Small stacks")
struct SmallStackTests {
    /// Runs `body` on a thread with a stack of 128 KB.
    private static func onSmallStack(_ body: @escaping @Sendable () -> Void) {
        SystemThread(stackSize: 128 << 10, body).join()
    }

    /// Operands and products of (110, 800) times (800, 257), which need more than one block in each dimension.
    private final class Products: @unchecked Sendable {
        static let (m, n, depth) = (110, 257, 800)
        let a: [Float]
        let b: [Float]
        let scratch: FloatBuffer
        let kernels: dt_kernels

        init(_ kernels: dt_kernels) {
            let random = CounterRandom(seed: 5, stream: .test)
            a = (0..<Self.m * Self.depth).map { Float(random.uniform(UInt32($0))) - 0.5 }
            b = (0..<Self.n * Self.depth).map { Float(random.uniform(UInt32($0))) - 0.25 }
            scratch = FloatBuffer(count: kernels.product_scratch)
            self.kernels = kernels
        }

        /// Returns the products for each orientation of a and b, then the product with a packed b.
        func compute() -> [[Float]] {
            let (m, n, depth) = (Self.m, Self.n, Self.depth)
            var products: [[Float]] = []
            for (transposedA, transposedB) in [(false, false), (false, true), (true, false), (true, true)] {
                var c = [Float](repeating: 0, count: m * n)
                kernels.matrix_product(
                    a,
                    transposedA ? m : depth,
                    transposedA,
                    b,
                    transposedB ? depth : n,
                    transposedB,
                    &c,
                    n,
                    m,
                    n,
                    depth,
                    1,
                    0,
                    scratch.base
                )
                products.append(c)
            }
            let panels = (n + kernels.panel_columns - 1) / kernels.panel_columns
            var packed = [Float](repeating: 0, count: panels * kernels.panel_columns * depth)
            kernels.pack_panels(&packed, b, n, false, depth, n, 0, panels)
            var c = [Float](repeating: 0, count: m * n)
            kernels.packed_product(a, depth, packed, depth, n, &c, n, m, n, depth, 1, 0)
            return products + [c]
        }
    }

    @Test("every kind of product fits a stack of 128 KB", arguments: Kernels.available)
    func kernels(isa: String) {
        let products = Products(dt_kernels_named(isa)!.pointee)
        let expected = products.compute()
        Self.onSmallStack { #expect(products.compute() == expected) }
    }

    @Test("the first matrix product of a thread fits a stack of 128 KB")
    func multiply() {
        Self.onSmallStack {
            let size = 300
            let a = FloatBuffer(count: size * size)
            let b = FloatBuffer(count: size * size)
            let c = FloatBuffer(count: size * size)
            for index in 0..<size * size {
                // a is twice the identity matrix.
                a.base[index] = index % (size + 1) == 0 ? 2 : 0
                b.base[index] = Float(index % 1000)
            }
            // The second product reuses the thread's scratch memory.
            for orientation in [Orientation.plain, .transposed] {
                MatrixProducts(kernels: .standard, implementation: .own).multiply(
                    a.matrix(rows: size, columns: size),
                    orientation,
                    b.matrix(rows: size, columns: size),
                    into: c.matrix(rows: size, columns: size)
                )
                #expect((0..<size * size).allSatisfy { c.base[$0] == 2 * b.base[$0] })
            }
        }
    }

    @Test("each thread has its own scratch memory, 64-byte aligned")
    func scratch() {
        final class Seen: @unchecked Sendable {
            var other: UnsafeMutablePointer<Float>?
        }
        let seen = Seen()
        let own = ProductScratch.threadLocal
        Self.onSmallStack {
            seen.other = ProductScratch.threadLocal
            #expect(seen.other == ProductScratch.threadLocal)
        }
        #expect(own == ProductScratch.threadLocal)
        #expect(seen.other != own)
        #expect(UInt(bitPattern: own) % 64 == 0)
    }
}
