import CVectorKernels
import Foundation
import Testing

@testable import Compute

private let instructionSets = Kernels.available

private func kernels(_ name: String) -> dt_kernels { dt_kernels_named(name)!.pointee }

private func values(_ count: Int, deviation: Double = 1, item: UInt32 = 0) -> [Float] {
    let random = CounterRandom(seed: 11, stream: .test, item: item)
    return (0..<count).map { Float(random.normalPair(UInt32($0)).0 * deviation) }
}

@Suite("Vector kernels")
struct KernelTests {
    @Test(
        "exp has a relative error below 3e-7, is 0 for very negative numbers, and keeps NaN",
        arguments: instructionSets
    )
    func exponential(isa: String) {
        let x = stride(from: Float(-87.3), through: 88.3, by: 0.0017).map { $0 }
        var y = [Float](repeating: 0, count: x.count)
        kernels(isa).exponential(&y, x, x.count)
        let worst = zip(x, y).map { abs(Double($1) / exp(Double($0)) - 1) }.max()!
        #expect(worst < 3e-7, "relative error \(worst)")
        let special: [Float] = [-200, -.infinity, 0, .nan, 1000]
        var out = [Float](repeating: 7, count: special.count)
        kernels(isa).exponential(&out, special, special.count)
        #expect(out[0] == 0 && out[1] == 0 && out[2] == 1 && out[3].isNaN && out[4] > 1e38)
    }

    @Test("the errors of GELU and its slope are below 4e-7 in units of max(1, |x|)", arguments: instructionSets)
    func gelu(isa: String) {
        let x = stride(from: Float(-12), through: 12, by: 0.00037).map { $0 }
        var y = [Float](repeating: 0, count: x.count)
        kernels(isa).gelu_forward(&y, x, x.count)
        var again = y
        var slope = [Float](repeating: 1, count: x.count)
        kernels(isa).gelu_backward(&slope, &again, x, x.count)
        #expect(again == y)
        var (worst, worstSlope, worstRelative) = (0.0, 0.0, 0.0)
        for (index, x) in x.enumerated() {
            let x = Double(x)
            let cumulative = 0.5 * erfc(-x / 2.squareRoot())
            let unit = max(1, abs(x))
            worst = max(worst, abs(Double(y[index]) - x * cumulative) / unit)
            let exact = cumulative + x * exp(-x * x / 2) / (2 * Double.pi).squareRoot()
            worstSlope = max(worstSlope, abs(Double(slope[index]) - exact) / unit)
            if x > -5, x != 0 { worstRelative = max(worstRelative, abs(Double(y[index]) / (x * cumulative) - 1)) }
        }
        #expect(worst < 4e-7 && worstSlope < 4e-7, "\(worst), slope \(worstSlope)")
        #expect(worstRelative < 4e-6, "relative error above -5: \(worstRelative)")
    }

    @Test(
        "the errors of tanh GELU and its slope are below 4e-7 and 1e-6 in units of max(1, |x|)",
        arguments: instructionSets
    )
    func geluTanh(isa: String) {
        let x = stride(from: Float(-12), through: 12, by: 0.00037).map { $0 }
        var y = [Float](repeating: 0, count: x.count)
        kernels(isa).gelu_tanh_forward(&y, x, x.count)
        var slope = [Float](repeating: 1, count: x.count)
        var again = y
        kernels(isa).gelu_tanh_backward(&slope, &again, x, x.count)
        #expect(again == y)
        var (worst, worstSlope) = (0.0, 0.0)
        let scale = (2 / Double.pi).squareRoot()
        for (index, x) in x.enumerated() {
            let x = Double(x)
            let bend = tanh(scale * (x + 0.044715 * x * x * x))
            let unit = max(1, abs(x))
            worst = max(worst, abs(Double(y[index]) - 0.5 * x * (1 + bend)) / unit)
            let exact = 0.5 * (1 + bend) + 0.5 * x * (1 - bend * bend) * scale * (1 + 3 * 0.044715 * x * x)
            worstSlope = max(worstSlope, abs(Double(slope[index]) - exact) / unit)
        }
        #expect(worst < 4e-7 && worstSlope < 1e-6, "\(worst), slope \(worstSlope)")
    }

    @Test(
        "LayerNorm gives each row mean 0 and variance 1, for any width",
        arguments: instructionSets,
        [1, 3, 16, 37, 64, 131]
    )
    func layerNorm(isa: String, width: Int) {
        let rows = 5
        let x = values(rows * width, deviation: 3).map { $0 + 10 }
        let ones = [Float](repeating: 1, count: width)
        var y = [Float](repeating: 0, count: rows * width)
        var (mean, rstd) = ([Float](repeating: 0, count: rows), [Float](repeating: 0, count: rows))
        kernels(isa).layer_norm_forward(&y, &mean, &rstd, x, ones, nil, rows, width, 1e-5)
        for row in 0..<rows {
            let part = y[row * width..<(row + 1) * width].map(Double.init)
            let average = part.reduce(0, +) / Double(width)
            let variance = part.reduce(0) { $0 + $1 * $1 } / Double(width) - average * average
            #expect(abs(average) < 1e-5, "row \(row): mean \(average)")
            if width > 2 { #expect(abs(variance - 1) < 1e-3, "row \(row): variance \(variance)") }
        }
    }

    @Test("dropout masks are the same on every instruction set and follow CounterRandom")
    func dropoutMasks() {
        let (rows, width, tokens) = (6, 301, 4)
        let random = CounterRandom(seed: 99, stream: .dropout, site: 5, step: 8, item: 3)
        let threshold = UInt32(0.3 * 65536)
        let mask = dt_dropout(
            key0: random.keyWords.0,
            key1: random.keyWords.1,
            item: 3,
            step: 8,
            site: random.highWords.2,
            threshold: threshold,
            scale: 65536 / Float(65536 - threshold)
        )
        let ones = [Float](repeating: 1, count: rows * width)
        let expected = (0..<rows * width).map { index -> Float in
            let (row, element) = (index / width + 1, index % width)
            let sequence = CounterRandom(
                seed: 99,
                stream: .dropout,
                site: 5,
                step: 8,
                item: 3 + UInt32(row / tokens)
            )
            let tile = row % tokens * ((width + 127) / 128) + element / 128
            let (group, lane) = (element % 128 / 16, element % 16)
            let word = sequence.block(UInt32(tile * 16 + lane))[group / 2]
            let decision = group % 2 == 0 ? word & 0xFFFF : word >> 16
            return decision >= threshold ? mask.scale : 0
        }
        for isa in instructionSets {
            var y = [Float](repeating: 0, count: rows * width)
            withUnsafePointer(to: mask) { kernels(isa).dropout_rows(&y, ones, rows, width, $0, 1, tokens) }
            #expect(y == expected, "\(isa)")
        }
        let kept = Double(expected.filter { $0 > 0 }.count) / Double(expected.count)
        #expect(abs(kept - 0.7) < 0.05)
    }

    @Test(
        "AdamW and the sum of squares have the same bits on every instruction set",
        arguments: [1, 15, 16, 1000, 4099]
    )
    func replicasAgree(count: Int) {
        var results: [[Float]] = []
        var sums: [Double] = []
        for isa in instructionSets {
            var p = values(count, item: 1)
            var (m, v) = (
                values(count, deviation: 0.1, item: 2), values(count, deviation: 0.1, item: 3).map { $0 * $0 }
            )
            for step in 1...3 {
                let g = values(count, deviation: 0.01, item: UInt32(3 + step))
                kernels(isa).adamw(
                    &p,
                    g,
                    &m,
                    &v,
                    count,
                    1e-3,
                    0.9,
                    0.95,
                    1e-8,
                    0.1,
                    1 - pow(0.9, Float(step)),
                    1 - pow(0.95, Float(step)),
                    0.77
                )
            }
            results.append(p + m + v)
            sums.append(kernels(isa).sum_squares(p, count))
        }
        for result in results { #expect(result == results[0]) }
        for sum in sums { #expect(sum == sums[0]) }
        let direct = results[0].prefix(count).reduce(0.0) { $0 + Double($1) * Double($1) }
        #expect(abs(sums[0] / direct - 1) < 1e-12)
    }

    @Test(
        "softmax statistics and cross-entropy gradients agree with a direct computation",
        arguments: instructionSets,
        [1, 17, 64, 300]
    )
    func crossEntropy(isa: String, count: Int) {
        let rows = 3
        let logits = values(rows * count, deviation: 4)
        let targets: [Int32] = [0, Int32(count / 2), Int32(count - 1)]
        var (maxima, sums) = ([Float](repeating: 0, count: rows), [Float](repeating: 0, count: rows))
        kernels(isa).softmax_statistics(&maxima, &sums, logits, rows, count, count)
        let lse = (0..<rows).map { maxima[$0] + log(sums[$0]) }
        var gradient = logits
        kernels(isa).cross_entropy_backward(&gradient, count, logits, lse, targets, 0.5, rows, count, count, 0)
        var combined = logits
        var losses = [Float](repeating: 0, count: rows)
        kernels(isa).cross_entropy(&losses, &combined, targets, 0.5, rows, count)
        #expect(zip(combined, gradient).allSatisfy { abs($0 - $1) < 1e-7 })
        #expect((0..<rows).allSatisfy { abs(losses[$0] - (lse[$0] - logits[$0 * count + Int(targets[$0])])) < 1e-5 })
        for row in 0..<rows {
            let part = logits[row * count..<(row + 1) * count].map(Double.init)
            let total = part.reduce(0) { $0 + exp($1) }
            #expect(abs(Double(lse[row]) - log(total)) < 1e-5)
            for column in 0..<count {
                let exact = 0.5 * (exp(part[column]) / total - (column == Int(targets[row]) ? 1 : 0))
                #expect(abs(Double(gradient[row * count + column]) - exact) < 2e-6)
            }
        }
    }

    @Test("an unknown instruction set is refused")
    func unknownInstructionSet() {
        #expect(dt_kernels_named("sse9") == nil)
        #expect(dt_kernels_get() != nil)
        #expect(["avx512", "avx2", "neon", "plain"].contains(Kernels.standard.instructionSet))
    }
}
