import CVectorKernels
import Foundation
import Testing

@testable import Compute

/// Compares vector functions with double precision over every magnitude that a float can have. The bounds are slightly
/// above the errors in CVectorKernels.h, which were measured on every 17th float.
@Suite("Accuracy of vector functions")
struct KernelAccuracyTests {
    /// Every 16411th float by bit pattern (262 thousand, both signs, denormals too), 80 thousand between -20 and 20,
    /// where the functions bend, and the floats around each branch.
    private static let inputs: [Float] = {
        var inputs: [Float] = []
        for pattern in stride(from: UInt64(0), to: 1 << 32, by: 16411) {
            let value = Float(bitPattern: UInt32(pattern))
            if value.isFinite { inputs.append(value) }
        }
        for step in -40_000..<40_000 { inputs.append(Float(step) * 0.000_500_11) }
        for border: Float in [-87.33, 88.37, 5.5, -5.5, 0, -13.2, 10.1, -10.1] {
            var (below, above) = (border, border)
            for _ in 0..<64 {
                (below, above) = (below.nextDown, above.nextUp)
                inputs += [below, above]
            }
        }
        return inputs
    }()

    private static let root2Pi = (2 * Double.pi).squareRoot()

    private func kernels(_ isa: String) -> dt_kernels { dt_kernels_named(isa)!.pointee }

    /// Returns the value and the slope of an activation for each input.
    private func activation(
        _ x: [Float],
        _ forward: (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, Int) -> Void,
        _ backward: (UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, Int) -> Void
    ) -> (values: [Float], slopes: [Float]) {
        var (y, again) = ([Float](repeating: 0, count: x.count), [Float](repeating: 0, count: x.count))
        var slopes = [Float](repeating: 1, count: x.count)
        forward(&y, x, x.count)
        backward(&slopes, &again, x, x.count)
        let different = zip(y, again).filter { $0.bitPattern != $1.bitPattern && !($0.isNaN && $1.isNaN) }
        #expect(different.isEmpty, "forward and backward give different values")
        return (y, slopes)
    }

    /// Expects that the largest of `errors` is below `bound`, and reports where it is. A NaN exceeds every bound.
    private func expect(
        _ name: String,
        _ isa: String,
        below bound: Double,
        _ errors: [(x: Float, error: Double)],
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        var worst: (x: Float, error: Double) = (0, -1)
        for entry in errors where !(entry.error <= worst.error) { worst = entry }
        #expect(
            worst.error < bound,
            "\(isa), \(name): \(worst.error) at \(worst.x)",
            sourceLocation: sourceLocation
        )
    }

    @Test(
        "exp: relative error below 1e-7 between -87.33 and 88.37, 0 below, constant above",
        arguments: Kernels.available
    )
    func exponential(isa: String) {
        let x = Self.inputs
        var y = [Float](repeating: 0, count: x.count)
        kernels(isa).exponential(&y, x, x.count)
        var errors: [(x: Float, error: Double)] = []
        let saturated = Double(exp(Float(88.37)))
        for (x, y) in zip(x, y) {
            if x < -87.33 {
                if y != 0 { errors.append((x, .infinity)) }
            } else {
                let exact = x <= 88.37 ? exp(Double(x)) : saturated
                errors.append((x, abs(Double(y) / exact - 1) * (x <= 88.37 ? 1 : 1e-2)))
            }
        }
        expect("relative", isa, below: 1e-7, errors)
        let special: [Float] = [-.infinity, .infinity, .nan, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, -0.0]
        var out = [Float](repeating: 7, count: special.count)
        kernels(isa).exponential(&out, special, special.count)
        #expect(out[0] == 0 && out[1] > 2.3e38 && out[2].isNaN && out[3...].allSatisfy { $0 == 1 })
    }

    @Test("the errors of exact GELU and its slope are within their bounds", arguments: Kernels.available)
    func gelu(isa: String) {
        let x = Self.inputs
        let (y, slopes) = activation(x, kernels(isa).gelu_forward, kernels(isa).gelu_backward)
        var values: [(x: Float, error: Double)] = []
        var (relative, far, slope) = (values, values, values)
        for (index, input) in x.enumerated() {
            let x = Double(input)
            let cumulative = 0.5 * erfc(-x / 2.squareRoot())
            let exact = x * cumulative
            values.append((input, abs(Double(y[index]) - exact) / max(1, abs(x))))
            if x <= -5.5 { far.append((input, abs(Double(y[index]) - exact))) }
            // Below 1e-37 floats become denormal and lose digits.
            if x > -5.5, abs(exact) > 1e-37 { relative.append((input, abs(Double(y[index]) / exact - 1))) }
            let density = abs(x) < 40 ? exp(-x * x / 2) / Self.root2Pi : 0
            slope.append((input, abs(Double(slopes[index]) - (cumulative + x * density))))
        }
        expect("value, in units of max(1, |x|)", isa, below: 1.1e-7, values)
        expect("value, relative above -5.5", isa, below: 8e-7, relative)
        expect("value below -5.5", isa, below: 1.2e-9, far)
        expect("slope", isa, below: 2.1e-7, slope)
    }

    @Test("the errors of tanh GELU and its slope are within their bounds", arguments: Kernels.available)
    func geluTanh(isa: String) {
        let x = Self.inputs
        let (y, slopes) = activation(x, kernels(isa).gelu_tanh_forward, kernels(isa).gelu_tanh_backward)
        var values: [(x: Float, error: Double)] = []
        var (relative, slope) = (values, values)
        let scale = 2 * (2 / Double.pi).squareRoot()
        for (index, input) in x.enumerated() {
            let x = Double(input)
            let argument = scale * x * (1 + 0.044715 * x * x)
            let gate = 1 / (1 + exp(-argument))
            let exact = x * gate
            values.append((input, abs(Double(y[index]) - exact) / max(1, abs(x))))
            if x > -9, abs(exact) > 1e-37 { relative.append((input, abs(Double(y[index]) / exact - 1))) }
            // The square of a larger number overflows; PyTorch's slope is NaN there too.
            guard abs(x) < 1.8e19 else { continue }
            let rest = x * gate / (1 + exp(argument)) * scale * (1 + 3 * 0.044715 * x * x)
            slope.append((input, abs(Double(slopes[index]) - (gate + (rest.isNaN ? 0 : rest)))))
        }
        expect("value, in units of max(1, |x|)", isa, below: 1.6e-7, values)
        expect("value, relative above -9", isa, below: 1.3e-5, relative)
        expect("slope", isa, below: 2.1e-7, slope)
    }

    @Test("GELU keeps NaN and infinity, and is zero for very negative numbers", arguments: Kernels.available)
    func special(isa: String) {
        let table = kernels(isa)
        for forward in [table.gelu_forward, table.gelu_tanh_forward] {
            let x: [Float] = [
                .nan, .infinity, -1e20, -.greatestFiniteMagnitude, -20, .greatestFiniteMagnitude, 0, -0.0,
            ]
            var y = [Float](repeating: 7, count: x.count)
            forward!(&y, x, x.count)
            #expect(y[0].isNaN && y[1] == .infinity && y[2] == 0 && y[3] == 0 && abs(y[4]) < 1e-30)
            #expect(y[5] == .greatestFiniteMagnitude && y[6] == 0 && y[7] == 0)
        }
    }
}
