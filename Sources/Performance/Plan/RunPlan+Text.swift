import Compute
import Formats
import Platform
import Training
import Transformer

extension RunPlan {
    /// The plan as text for the terminal.
    package var text: String {
        (headLines + memoryLines + timeLines).map { $0 + "\n" }.joined()
    }

    private var headLines: [String] {
        let parameters = Double(ParameterLayout(model).count) / 1e6
        return [
            """
            model: \(model.layerCount) layers, \(model.headCount) heads, width \(model.embeddingSize), block \
            \(model.blockSize), vocabulary \(Numbers.grouped(model.vocabularySize)) (\(data.vocabularyOrigin)): \
            \(Numbers.fixed(parameters, 2))M parameters
            """,
            """
            measured here: \(Numbers.fixed(peak / 1e9, 0)) GFLOP/s in matrix products, \
            \(Numbers.fixed(copyBandwidth / 1e9, 1)) GB/s copying, \(threads) \(threads == 1 ? "thread" : "threads"), \
            \(Kernels.standard.instructionSet), \(MatrixProducts.standard.description)
            """,
        ]
    }

    private var memoryLines: [String] {
        let parts = [
            ("parameters", memory.model.parameters), ("gradients", memory.model.gradients),
            ("moments", memory.optimizer),
            ("activations of \(time.chunkSequences) x \(model.blockSize) tokens", memory.model.activations),
            ("logits", memory.model.logits), ("batches", memory.batches), ("samples", memory.sampling),
            ("token files", memory.data), ("program", memory.program),
        ]
        let free = available.map { ", \(ByteCount.text($0)) free here" } ?? ""
        var lines = ["memory\(ranks > 1 ? " per rank" : ""): \(ByteCount.text(memory.total))\(free)"]
        lines.append(
            "  " + parts.filter { $0.1 > 0 }.map { "\($0.0) \(ByteCount.text($0.1))" }.joined(separator: ", ")
        )
        lines.append(
            "  in addition, if there is room: \(ByteCount.text(memory.checkpointCopy)) for a copy from which checkpoints are "
                + "written during training"
        )
        if let bytes = data.bytes, bytes > MemoryPlan.largestResidentData {
            let size = ByteCount.text(bytes)
            lines.append(
                "  not counted: \(size) of token files, whose memory the system can reclaim at any time"
            )
        }
        return lines
    }

    private var timeLines: [String] {
        var step = "passes \(seconds(time.passes)), update \(seconds(time.update))"
        if ranks > 1, let bandwidth {
            step += """
                , all-reduce \(seconds(time.communication.exposed)) (\(seconds(time.communication.total)) at \
                \(bandwidth.text), of which \(seconds(time.communication.hidden)) overlap with the last backward pass)
                """
        }
        var lines = [
            "iteration: \(seconds(time.step)) (\(step)); \(Numbers.fixed(tokensPerSecond, 0)) tok/s",
            "evaluation: \(seconds(time.evaluation))"
                + (time.sample > 0 ? ", its sample \(seconds(time.sample))" : "")
                + (time.checkpoint > 0 ? ", a checkpoint \(seconds(time.checkpoint))" : ""),
            """
            run: \(RunClock.text(seconds: time.run)) for \(Numbers.grouped(time.steps)) iterations and \
            \(Numbers.grouped(time.evaluations)) evaluations
            """,
            "Slurm: --time=\(time.slurmTime) (the run, \(TimePlan.slurmMargin))",
        ]
        if ranks > 1 {
            lines.append(
                "assumptions: each rank has a machine like this one with \(threads) threads; no latency; no other load"
            )
            if idleShare > 0.001 {
                lines.append(
                    "idle: \(Numbers.fixed(100 * idleShare, 1))% of the ranks' time, because ranks get unequal shares of an iteration"
                )
            }
        }
        return lines
    }

    private func seconds(_ value: Double) -> String {
        switch value {
        case ..<1: "\(Numbers.short(Double(Int(value * 1e5 + 0.5)) / 100)) ms"
        case ..<120: "\(Numbers.fixed(value, 2)) s"
        default: RunClock.text(seconds: value)
        }
    }

    /// The plan as a JSON object. Times are in seconds, memory is in bytes per rank.
    package var json: JSONValue {
        func object(_ members: [(String, JSONValue)]) -> JSONValue { .object(members.map { .init($0.0, $0.1) }) }
        var members: [(String, JSONValue)] = [
            ("preset", .string(values.preset.rawValue)), ("n_layer", .integer(model.layerCount)),
            ("n_head", .integer(model.headCount)), ("n_embd", .integer(model.embeddingSize)),
            ("block_size", .integer(model.blockSize)), ("batch_size", .integer(values.batchSize)),
            ("vocab_size", .integer(model.vocabularySize)), ("vocabulary_from", .string(data.vocabularyOrigin)),
            ("parameters", .integer(ParameterLayout(model).count)), ("ranks", .integer(ranks)),
            ("threads", .integer(threads)), ("gemm_peak_gflops", .number(peak / 1e9)),
            ("copy_bytes_per_second", .number(copyBandwidth)),
            ("memory_bytes", .integer(memory.total)),
            (
                "memory",
                object([
                    ("parameters", .integer(memory.model.parameters)), ("gradients", .integer(memory.model.gradients)),
                    ("moments", .integer(memory.optimizer)), ("activations", .integer(memory.model.activations)),
                    ("logits", .integer(memory.model.logits)), ("batches", .integer(memory.batches)),
                    ("samples", .integer(memory.sampling)), ("token_files", .integer(memory.data)),
                    ("program", .integer(memory.program)),
                ])
            ),
            ("checkpoint_copy_bytes", .integer(memory.checkpointCopy)),
            ("available_bytes", available.map { .integer($0) } ?? .null), ("fits", .bool(refusal == nil)),
            ("chunk_sequences", .integer(time.chunkSequences)),
            ("sequences_per_rank", .integer(time.sequencesPerRank)), ("step_seconds", .number(time.step)),
            ("pass_seconds", .number(time.passes)), ("update_seconds", .number(time.update)),
            ("tokens_per_second", .number(tokensPerSecond)), ("evaluation_seconds", .number(time.evaluation)),
            ("sample_seconds", .number(time.sample)), ("checkpoint_seconds", .number(time.checkpoint)),
            ("steps", .integer(time.steps)), ("evaluations", .integer(time.evaluations)),
            ("run_seconds", .number(time.run)), ("slurm_time", .string(time.slurmTime)),
        ]
        if let bandwidth {
            members += [
                ("bandwidth_bytes_per_second", .number(bandwidth.bytesPerSecond)),
                ("communication_seconds", .number(time.communication.total)),
                ("communication_hidden_seconds", .number(time.communication.hidden)),
            ]
        }
        return object(members)
    }
}
