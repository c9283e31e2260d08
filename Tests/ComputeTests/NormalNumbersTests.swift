import Testing

@testable import Compute

@Suite("Normal numbers by vector kernels")
struct NormalNumbersTests {
    @Test(
        "numbers drawn by vector kernels have the same bits as numbers drawn one at a time",
        arguments: Kernels.available
    )
    func sameBits(instructionSet: String) {
        for (seed, first, count, deviation) in [
            (UInt64(1337), 0, 200_000, 0.02), (UInt64(1) << 40 | 5, 65536, 1001, 0.02 / 7), (3, 2, 1, 1.0),
            (3, 0, 0, 1.0),
        ] {
            let random = CounterRandom(seed: seed, stream: .initialization, item: 9)
            var values = [Float](repeating: .nan, count: count + 1)
            values.withUnsafeMutableBufferPointer {
                random.fillNormal(
                    $0.baseAddress!,
                    count: count,
                    first: first,
                    deviation: deviation,
                    instructionSet: instructionSet
                )
            }
            let different = (0..<count).filter { index in
                let pair = random.normalPair(UInt32((first + index) / 2))
                let one = Float((index % 2 == 0 ? pair.0 : pair.1) * deviation)
                return values[index].bitPattern != one.bitPattern
            }
            #expect(
                different.isEmpty,
                "\(instructionSet), seed \(seed): \(different.count) differ, at \(different.prefix(3))"
            )
            #expect(values[count].isNaN, "fillNormal wrote past the end")
        }
    }

    @Test(
        "small buffers and mapped buffers start as zeros and are aligned",
        arguments: [0, 1, 1000, 1 << 20, 3_000_001]
    )
    func buffers(count: Int) {
        let buffer = FloatBuffer(count: count)
        #expect(buffer.count == count && buffer.elements.count == count)
        #expect(UInt(bitPattern: buffer.base) % 64 == 0)
        #expect(buffer.elements.allSatisfy { $0 == 0 })
        if count > 0 {
            buffer.base[count - 1] = 1
            #expect(buffer.elements.last == 1)
        }
    }
}
