import Compute
import Formats
import Platform
import Training

extension AttentionBenchmark {
    /// The comparisons as a JSON object.
    package func json(_ comparisons: [Comparison]) -> JSONValue {
        .object([
            .init("n_head", .integer(headCount)),
            .init("head_size", .integer(headSize)),
            .init("threads", .integer(threads)),
            .init("isa", .string(Kernels.standard.instructionSet)),
            .init("blas", .string(MatrixProducts.standard.description)),
            .init("attention", .array(comparisons.map(\.json))),
        ])
    }

    /// The comparisons as a table for the terminal.
    package func lines(_ comparisons: [Comparison]) -> [String] {
        var lines = [
            """
            attention of one sequence, \(headCount) heads of \(headSize), \(threads) threads, \
            \(Kernels.standard.instructionSet), \(MatrixProducts.standard.description)
            """,
            "medians in ms; memory without inputs and outputs; largest difference between the results of both forms",
            "",
            TextTable.line([
                ("", 6), ("tiled", 20), ("", 11), ("plain, whole (T, T)", 21), ("", 11), ("speedup", 9),
                ("difference", 18),
            ]),
            TextTable.line([
                ("block", 6), ("forward", 10), ("backward", 10), ("memory", 11), ("forward", 11), ("backward", 10),
                ("memory", 11), ("of tiled", 9), ("output", 9), ("gradient", 10),
            ]),
        ]
        for comparison in comparisons {
            func time(_ spread: Spread?) -> String { spread.map { Numbers.fixed($0.median * 1000, 3) } ?? "-" }
            func memory(_ bytes: Int?) -> String { bytes.map { ByteCount.text($0) } ?? "too much" }
            lines.append(
                TextTable.line([
                    (String(comparison.length), 6),
                    (time(comparison.tiled.forward), 10), (time(comparison.tiled.backward), 10),
                    (memory(comparison.tiled.bytes), 11),
                    (time(comparison.plain?.forward), 11), (time(comparison.plain?.backward), 10),
                    (memory(comparison.plain?.bytes), 11),
                    (comparison.speedup.map { Numbers.fixed($0, 2) } ?? "-", 9),
                    (comparison.outputDifference.map(Numbers.exponent) ?? "-", 9),
                    (comparison.gradientDifference.map(Numbers.exponent) ?? "-", 10),
                ])
            )
        }
        return lines
    }
}

extension AttentionBenchmark.Form {
    /// The sum of the median forward and backward times, in seconds.
    package var seconds: Double { forward.median + backward.median }

    fileprivate var json: JSONValue {
        .object([
            .init("forward", .object(forward.jsonMembers)), .init("backward", .object(backward.jsonMembers)),
            .init("bytes", .integer(bytes)),
        ])
    }
}

extension AttentionBenchmark.Comparison {
    /// The plain form's time divided by the tiled form's.
    package var speedup: Double? { plain.map { $0.seconds / tiled.seconds } }

    fileprivate var json: JSONValue {
        func number(_ value: Double?) -> JSONValue { value.flatMap { $0.isFinite ? .number($0) : nil } ?? .null }
        return .object([
            .init("block_size", .integer(length)),
            .init("tiled", tiled.json),
            .init("plain", plain?.json ?? .null),
            .init("times_as_fast", number(speedup)),
            .init("largest_output_difference", number(outputDifference)),
            .init("largest_gradient_difference", number(gradientDifference)),
        ])
    }
}

extension Numbers {
    /// Formats a number with one decimal and an exponent, such as `1.2e-6`.
    fileprivate static func exponent(_ value: Double) -> String {
        guard value > 0, value.isFinite else { return value == 0 ? "0" : "\(value)" }
        var (mantissa, exponent) = (value, 0)
        while mantissa < 0.995e0 || mantissa >= 9.95 {
            (mantissa, exponent) = mantissa < 1 ? (mantissa * 10, exponent - 1) : (mantissa / 10, exponent + 1)
        }
        return "\(fixed(mantissa, 1))e\(exponent)"
    }
}
