import Compute
import Formats
import Platform
import Training
import Transformer

extension StepMeasurement {
    /// The measurement as a JSON object.
    package var json: JSONValue {
        .object(
            [
                .init("preset", .string(shape.preset.rawValue)),
                .init("shape", shape.json),
                .init("threads", .integer(shape.threads)),
                .init("isa", .string(Kernels.standard.instructionSet)),
                .init("blas", .string(MatrixProducts.standard.description)),
                .init("warmup", .integer(warmUp)),
                .init("steps", .integer(seconds.count)),
            ] + spread.jsonMembers + [
                .init("tokens_per_second", .number(tokensPerSecond)),
                .init("counted_gflops", .number(countedOperations / 1e9)),
                .init("gemm_peak_gflops", .number(peak / 1e9)),
                .init("gemm_peak_share", .number(shareOfPeak)),
                .init("peak_rss_bytes", peakMemory.map { .integer($0) } ?? .null),
                .init("profiled_steps", .integer(profile.steps)),
                .init("profiled_step_ms", .number(profile.wallSeconds * 1000)),
                .init("parts", .array(profile.seconds.map(profile.json))),
            ]
        )
    }

    /// The measurement as lines for the terminal.
    package var lines: [String] {
        let spread = spread
        func milliseconds(_ seconds: Double) -> String { Numbers.fixed(seconds * 1000, 2) }
        let memory = peakMemory.map { ByteCount.text($0) } ?? "unknown on this system"
        return [
            "\(shape.preset.rawValue): \(shape.text)",
            "machine: \(shape.threads) threads, \(Kernels.standard.instructionSet), \(MatrixProducts.standard.description)",
            """
            step: \(milliseconds(spread.median)) ms, median of \(spread.count) (\(milliseconds(spread.minimum)) to \
            \(milliseconds(spread.maximum)), the middle half \(milliseconds(spread.lowerQuartile)) to \
            \(milliseconds(spread.upperQuartile)))
            """,
            """
            speed: \(Numbers.grouped(Int(tokensPerSecond))) tokens/s, \(Numbers.fixed(countedOperations / 1e9, 1)) \
            counted GFLOP/s: \(Numbers.fixed(shareOfPeak * 100, 1))% of the \(Numbers.fixed(peak / 1e9, 1)) GFLOP/s \
            that matrix products reached in this run
            """,
            "memory: \(memory) at most",
            "",
        ] + profile.table + (shape.training.dropout > 0 ? [Self.dropoutNote] : [])
    }

    private static let dropoutNote =
        "the part \"dropout\" is drawing masks; applying them is part of \"residual\" and \"attention\""
}

extension BenchShape {
    var json: JSONValue {
        .object([
            .init("n_layer", .integer(model.layerCount)), .init("n_head", .integer(model.headCount)),
            .init("n_embd", .integer(model.embeddingSize)), .init("block_size", .integer(model.blockSize)),
            .init("batch_size", .integer(training.batchSize)),
            .init("gradient_accumulation_steps", .integer(training.gradientAccumulationSteps)),
            .init("vocab_size", .integer(model.vocabularySize)), .init("dropout", .number(training.dropout)),
            .init("bias", .bool(model.bias)), .init("activation", .string(model.activation.rawValue)),
            .init("parameters", .integer(ParameterLayout(model).count)),
        ])
    }

    var text: String {
        let parameters = Numbers.fixed(Double(ParameterLayout(model).count) / 1e6, 2)
        let accumulation =
            training.gradientAccumulationSteps == 1 ? "" : "\(training.gradientAccumulationSteps) times "
        return """
            \(model.layerCount) layers, \(model.headCount) heads, width \(model.embeddingSize), block \
            \(model.blockSize), vocabulary \(model.vocabularySize), dropout \(Numbers.short(training.dropout)): \
            \(parameters)M parameters; a step has \(accumulation)\(training.batchSize) sequences
            """
    }
}

extension PartTimes {
    fileprivate func json(_ part: Part, _ seconds: Double) -> JSONValue {
        .object([
            .init("part", .string(part.name)),
            .init("worker_ms_per_step", .number(seconds * 1000)),
            .init("share", .number(share(seconds))),
        ])
    }

    /// The time by part as a table.
    var table: [String] {
        let products = seconds.filter { $0.part.isMatrixProduct }.reduce(0) { $0 + $1.seconds }
        var rows = seconds.map { ($0.part.name, $0.seconds) }
        rows.append(("all", seconds.reduce(0) { $0 + $1.seconds }))
        rows.append(("matrix products", products))
        let heading =
            "time by part, mean of \(steps) more step\(steps == 1 ? "" : "s") of \(Numbers.fixed(wallSeconds * 1000, 2)) ms"
        return ["\(heading):", TextTable.line([("part", -22), ("thread ms/step", 17), ("share", 8)])]
            + rows.map { name, seconds in
                TextTable.line([
                    (name, -22), (Numbers.fixed(seconds * 1000, 2), 17),
                    ("\(Numbers.fixed(share(seconds) * 100, 1))%", 8),
                ])
            }
    }
}
