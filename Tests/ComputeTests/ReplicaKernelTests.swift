import CVectorKernels
import Foundation
import Testing

@testable import Compute

/// Kernels whose results replicas must agree on have the same bits on every instruction set, for any values and any
/// alignment.
@Suite("Kernels whose results replicas must agree on")
struct ReplicaKernelTests {
    private static let instructionSets = Kernels.available

    /// Returns normal numbers; with `special`, mixed with denormals, zeros, infinities and extreme values.
    private func values(_ count: Int, item: UInt32, special: Bool) -> [Float] {
        let random = CounterRandom(seed: 5, stream: .test, item: item)
        let kinds: [Float] = [
            .leastNonzeroMagnitude, -.leastNonzeroMagnitude * 1000, .leastNormalMagnitude, 0, -0.0, .infinity,
            -.infinity,
            .greatestFiniteMagnitude, -3e38, 1e-30, 1e20,
        ]
        return (0..<count).map { index in
            let (first, second) = random.normalPair(UInt32(index))
            guard special, second > 0.5 else { return Float(first) }
            return kinds[(index + Int(item) * 3) % kinds.count]
        }
    }

    /// Returns the bits of the parameters and both moments after three steps. The buffers start `offset` elements past
    /// an aligned address.
    private func adamW(_ isa: String, count: Int, offset: Int, special: Bool, flush: Bool) -> [UInt32] {
        let table = dt_kernels_named(isa)!.pointee
        let mode = flush ? dt_flush_denormals() : 0
        defer { if flush { dt_restore_denormals(mode) } }
        let memory = FloatBuffer(count: 4 * (count + 64))
        func place(_ index: Int, _ values: [Float]) -> UnsafeMutablePointer<Float> {
            let base = memory.base + index * (count + 64) / 16 * 16 + (offset + index) % 16
            base.update(from: values, count: count)
            return base
        }
        let p = place(0, values(count, item: 1, special: special))
        let m = place(1, values(count, item: 2, special: special))
        let v = place(2, values(count, item: 3, special: special).map(abs))
        for step in 1...3 {
            let g = place(3, values(count, item: UInt32(3 + step), special: special))
            let bias = (1 - pow(0.9, Float(step)), 1 - pow(0.95, Float(step)))
            table.adamw(p, g, m, v, count, 1e-3, 0.9, 0.95, 1e-8, 0.1, bias.0, bias.1, 0.77)
        }
        // Treat all NaNs as equal: IEEE 754 does not define which operand's NaN an operation returns.
        return [p, m, v].flatMap { buffer in
            (0..<count).map { buffer[$0].isNaN ? Float.nan.bitPattern : buffer[$0].bitPattern }
        }
    }

    @Test(
        "AdamW has the same bits at any alignment, also for denormal and infinite numbers",
        arguments: [1, 7, 16, 17, 33, 1001],
        [false, true]
    )
    func adamW(count: Int, flush: Bool) {
        for special in [false, true] {
            let expected = adamW("plain", count: count, offset: 0, special: special, flush: flush)
            for isa in Self.instructionSets {
                for offset in [0, 1, 5, 15] {
                    let bits = adamW(isa, count: count, offset: offset, special: special, flush: flush)
                    let place = zip(bits, expected).enumerated().first { $0.element.0 != $0.element.1 }?.offset
                    #expect(place == nil, "\(isa), offset \(offset), special \(special): element \(place ?? 0)")
                }
            }
        }
    }

    @Test("AdamW gives elements of a partial last vector the same bits as elements of a whole vector")
    func remainder() {
        let whole = adamW("plain", count: 48, offset: 0, special: false, flush: true)
        for count in 33..<48 {
            let part = adamW("plain", count: count, offset: 0, special: false, flush: true)
            #expect(Array(part.prefix(count)) == Array(whole.prefix(count)), "\(count) elements")
        }
    }

    @Test("the sum of squares has the same bits at any alignment", arguments: [1, 7, 16, 17, 33, 1001])
    func sumOfSquares(count: Int) {
        for special in [false, true] {
            // An infinity would hide all other numbers in the sum.
            let values = values(count, item: 8, special: special).map { $0.isFinite ? $0 : 2 }
            let memory = FloatBuffer(count: count + 64)
            var sums: [UInt64] = []
            for isa in Self.instructionSets {
                for offset in [0, 1, 5, 15] {
                    (memory.base + offset).update(from: values, count: count)
                    sums.append(dt_kernels_named(isa)!.pointee.sum_squares(memory.base + offset, count).bitPattern)
                }
            }
            #expect(Set(sums).count == 1, "\(sums.map { Double(bitPattern: $0) })")
            let exact = values.reduce(0.0) { $0 + Double($1) * Double($1) }
            #expect(abs(Double(bitPattern: sums[0]) - exact) <= 1e-12 * exact)
        }
        for isa in Self.instructionSets {
            let sum = dt_kernels_named(isa)!.pointee.sum_squares
            #expect(sum!([1, .infinity], 2) == .infinity)
            #expect(sum!([1, .nan], 2).isNaN)
        }
    }
}
