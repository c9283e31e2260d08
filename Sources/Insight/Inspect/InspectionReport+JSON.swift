import Formats
import Platform
import Transformer

/// Rounds numbers for the JSON document, which is also the page's data.
enum InspectionNumber {
    /// Rounds to the given number of significant digits.
    static func rounded(_ value: Double, digits: Int = 7) -> Double {
        guard value != 0, value.isFinite else { return value }
        let exponent = Double(digits - 1) - floor(log10(abs(value)))
        // Powers of ten up to 10²² are exact in Double, so the result is the nearest number with this many digits.
        guard abs(exponent) <= 22 else { return value }
        let scale = pow(10, abs(exponent))
        return exponent < 0 ? (value / scale).rounded() * scale : (value * scale).rounded() / scale
    }

    static func json(_ value: Double?) -> JSONValue {
        guard let value, value.isFinite else { return .null }
        return .number(rounded(value))
    }

    /// An attention weight rounded to six decimals: small weights need no more precision than large ones.
    static func weight(_ value: Double) -> JSONValue {
        value.isFinite ? .number((value * 1e6).rounded() / 1e6) : .null
    }
}

extension InspectionReport {
    /// The JSON document. The page shows the same numbers.
    package var json: JSONValue {
        .object([
            .init("format", .integer(1)),
            .init("title", .string(title)),
            .init("model", modelJSON),
            .init("text", .string(text.source)),
            .init("tokens", .array(text.tokens.map { .integer(Int($0)) })),
            .init("targets", .array(text.targets.map { .integer(Int($0)) })),
            .init("texts", textsJSON),
            .init("visible", .array(visible.map { .array($0.map(Self.json)) })),
            .init("rule", ruleJSON),
            .init("notices", .array(notices.map { .string($0) })),
            .init("shown", .integer(shown)),
            .init("checkpoints", .array(inspections.map(\.json))),
        ])
    }

    private var modelJSON: JSONValue {
        .object([
            .init("n_layer", .integer(configuration.layerCount)),
            .init("n_head", .integer(configuration.headCount)),
            .init("n_embd", .integer(configuration.embeddingSize)),
            .init("block_size", .integer(configuration.blockSize)),
            .init("vocab_size", .integer(configuration.vocabularySize)),
            .init("activation", .string(configuration.activation.rawValue)),
            .init("parameters", .integer(parameterCount)),
        ])
    }

    /// The text of each token that occurs in the document, keyed by id.
    private var textsJSON: JSONValue {
        var ids = Set((text.tokens + text.targets).map { Int($0) })
        for inspection in inspections {
            for predictions in inspection.losses.predictions { ids.formUnion(predictions.map(\.token)) }
            for readings in inspection.lens.readings { ids.formUnion(readings.map(\.top.token)) }
        }
        return .object(ids.sorted().map { .init(String($0), .string(TokenText.of($0, tokenizer))) })
    }

    private var ruleJSON: JSONValue {
        .object([
            .init("least_score", .number(HeadScores.minimumScore)),
            .init("least_lead", .number(HeadScores.minimumLead)),
            .init("least_evenness", .number(HeadScores.minimumEvenness)),
            .init("shut", .number(Double(ActivationStatistics.shut(configuration.activation)))),
            .init("open", .number(Double(ActivationStatistics.open))),
        ])
    }

    private static func json(_ range: Range<Int>) -> JSONValue {
        .array([.integer(range.lowerBound), .integer(range.upperBound)])
    }
}

extension Inspection {
    var json: JSONValue {
        .object([
            .init("name", .string(name)),
            .init("iteration", state.map { .integer($0.iteration) } ?? .null),
            .init("val_loss", InspectionNumber.json(state?.validationLoss)),
            .init("loss", InspectionNumber.json(flow.loss / Double(losses.losses.count))),
            .init("losses", .array(losses.losses.map(InspectionNumber.json))),
            .init("predictions", .array(losses.predictions.map { .array($0.map(\.json)) })),
            .init("heads", .array(heads.map { .array($0.map(\.json)) })),
            .init("attention", .array(heads.map { .array($0.map(\.pattern.json)) })),
            .init("lens", .array(lens.readings.map { .array($0.map(\.json)) })),
            .init("gradient", flow.json),
            .init("activations", activations.json),
            .init("sample", sample.map { .string($0) } ?? .null),
        ])
    }
}

extension TokenLosses.Prediction {
    /// [id, probability]
    fileprivate var json: JSONValue { .array([.integer(token), InspectionNumber.json(probability)]) }
}

extension LogitLens.Reading {
    /// [id of the likeliest token, its probability, probability of the target]
    fileprivate var json: JSONValue {
        .array([
            .integer(top.token), InspectionNumber.json(top.probability), InspectionNumber.json(targetProbability),
        ])
    }
}

extension AttentionMap {
    /// One array per row with the weights of its visible range.
    fileprivate var json: JSONValue {
        .array(visible.enumerated().map { row, seen in .array(seen.map { InspectionNumber.weight(self[row, $0]) }) })
    }
}

extension Inspection.Head {
    fileprivate var json: JSONValue {
        .object([
            .init("entropy", InspectionNumber.json(entropy?.nats)),
            .init("normalized_entropy", InspectionNumber.json(entropy?.normalized)),
            .init("previous", InspectionNumber.json(scores.previous)),
            .init("first", InspectionNumber.json(scores.first)),
            .init("current", InspectionNumber.json(scores.current)),
            .init("same", InspectionNumber.json(scores.same)),
            .init("induction", InspectionNumber.json(scores.induction)),
            .init("mean_distance", InspectionNumber.json(scores.meanDistance)),
            .init("kind", kind.map { .string($0.kind.rawValue) } ?? .null),
            .init("score", InspectionNumber.json(kind?.score)),
        ])
    }
}

extension GradientFlow {
    fileprivate var json: JSONValue {
        .object([
            .init("norm", InspectionNumber.json(norm)),
            .init("learning_rate", InspectionNumber.json(learningRate)),
            .init(
                "tensors",
                .array(
                    tensors.map { tensor in
                        .object([
                            .init("name", .string(tensor.name)),
                            .init("shape", .array(tensor.shape.map { .integer($0) })),
                            .init("parameter_norm", InspectionNumber.json(tensor.parameterNorm)),
                            .init("gradient_norm", InspectionNumber.json(tensor.gradientNorm)),
                            .init("update_ratio", InspectionNumber.json(tensor.updateRatio)),
                        ])
                    }
                )
            ),
        ])
    }
}

extension ActivationStatistics {
    fileprivate var json: JSONValue {
        .object([
            .init(
                "residuals",
                .array(
                    residuals.map { residual in
                        .object([
                            .init("mean", InspectionNumber.json(residual.spread.mean)),
                            .init("deviation", InspectionNumber.json(residual.spread.deviation)),
                            .init("norm", InspectionNumber.json(residual.norm)),
                        ])
                    }
                )
            ),
            .init(
                "units",
                .array(
                    units.map { unit in
                        .object([
                            .init("mean", InspectionNumber.json(unit.spread.mean)),
                            .init("deviation", InspectionNumber.json(unit.spread.deviation)),
                            .init("shut", InspectionNumber.json(unit.shut)),
                            .init("open", InspectionNumber.json(unit.open)),
                            .init("dead", InspectionNumber.json(unit.dead)),
                        ])
                    }
                )
            ),
        ])
    }
}
