import Compute
import Configuration
import Foundation
import Platform
import TestSupport
import Testing
import Tokenizers

@testable import Formats
@testable import Insight
@testable import Training
@testable import Transformer

@Suite("Inspection of a model")
struct InspectionTests {
    private let model: GPT
    private let tokenizer = CharacterTokenizer(scalars: Array("\n </>abcdeiprst".unicodeScalars))
    private let text: InspectedText
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
        let configuration = GPTConfiguration(
            layerCount: 3,
            headCount: 2,
            embeddingSize: 16,
            blockSize: 24,
            vocabularySize: tokenizer.vocabularySize,
            bias: true
        )
        model = GPT(configuration: configuration, context: ComputeContext(pool: WorkerPool(threadCount: 2)))
        model.initializeParameters(seed: 5)
        // Larger parameters than in a fresh model, so that numbers do not agree by chance.
        for index in 0..<model.parameters.count { model.parameters.base[index] *= 8 }
        let ids = try tokenizer.encode("a script </script> ad reads a script")
        text = try InspectedText(ids: ids, count: 20, source: "a test")
    }

    private func inspection(checkpoint: Checkpoint? = nil) throws -> Inspection {
        try Inspection(model, name: "x", checkpoint: checkpoint, text: text, tokenizer: tokenizer, seed: 1)
    }

    private func report() throws -> InspectionReport {
        InspectionReport(
            title: "inspect: <x>",
            model: model,
            text: text,
            tokenizer: tokenizer,
            inspections: [try inspection()],
            shown: 0,
            notices: []
        )
    }

    @Test("A head with weights for attending to the previous position is recognized as such")
    func builtHead() throws {
        let length = 16
        let configuration = GPTConfiguration(
            layerCount: 1,
            headCount: 1,
            embeddingSize: length,
            blockSize: length,
            vocabularySize: tokenizer.vocabularySize
        )
        let model = GPT(configuration: configuration, context: ComputeContext(pool: WorkerPool(threadCount: 1)))
        let layout = model.layout
        for index in layout.range(of: "transformer.h.0.ln_1.weight") { model.parameters.base[index] = 1 }
        for index in layout.range(of: "transformer.ln_f.weight") { model.parameters.base[index] = 1 }
        // Each position has its own direction. Its key is that direction, and its query is the direction of the
        // previous position.
        let attention = layout.range(of: "transformer.h.0.attn.c_attn.weight").lowerBound
        for position in 0..<length {
            model.parameters.base[layout.positionEmbedding.lowerBound + position * length + position] = 1
            model.parameters.base[attention + position * 3 * length + length + position] = 3
            if position > 0 { model.parameters.base[attention + position * 3 * length + position - 1] = 3 }
        }
        let ids = try tokenizer.encode("a script reads a")
        let text = try InspectedText(ids: ids, count: length, source: "a test")
        let found = try Inspection(model, name: "x", checkpoint: nil, text: text, tokenizer: tokenizer, seed: 1)
        let head = try #require(found.heads.first?.first)
        #expect(head.kind?.kind == .previous)
        #expect(try #require(head.scores.previous) > 0.99)
        #expect(try #require(head.entropy).normalized < 0.05)
    }

    @Test("The losses of the tokens sum to the model's loss")
    func losses() throws {
        let inspection = try inspection()
        let whole = model.loss(tokens: text.tokens, targets: text.targets, sequenceLength: text.tokens.count)
        #expect(abs(inspection.losses.losses.reduce(0, +) - whole) < 1e-5 * whole)
        #expect(abs(inspection.flow.loss - whole) < 1e-5 * whole)
        for predictions in inspection.losses.predictions {
            #expect(predictions.count == Inspection.predictionCount)
            #expect(zip(predictions, predictions.dropFirst()).allSatisfy { $0.probability >= $1.probability })
        }
        // The probabilities of all tokens sum to 1, and the target's is exp(-loss).
        let all = TokenLosses(
            logits: model.logits(tokens: text.tokens),
            targets: text.targets,
            count: tokenizer.vocabularySize
        )
        for (row, predictions) in all.predictions.enumerated() {
            #expect(abs(predictions.reduce(0) { $0 + $1.probability } - 1) < 1e-9)
            let target = try #require(predictions.first { $0.token == Int(text.targets[row]) })
            #expect(abs(target.probability - exp(-all.losses[row])) < 1e-12)
        }
    }

    @Test("The lens after the last layer gives the model's own prediction, and the first residual is the embedding")
    func lens() throws {
        let states = model.activations(tokens: text.tokens)
        #expect(states.residuals.count == 4 && states.hidden.count == 3)
        #expect(model.logits(residual: states.residuals[3]) == model.logits(tokens: text.tokens))
        let width = model.configuration.embeddingSize
        for (row, token) in text.tokens.enumerated() {
            for column in 0..<width {
                let parameters = model.parameters.elements
                let embedded =
                    parameters[model.layout.tokenEmbedding.lowerBound + Int(token) * width + column]
                    + parameters[model.layout.positionEmbedding.lowerBound + row * width + column]
                #expect(states.residuals[0][row * width + column] == embedded)
            }
        }
        let inspection = try inspection()
        for (reading, (loss, predictions)) in zip(
            inspection.lens.readings[3],
            zip(inspection.losses.losses, inspection.losses.predictions)
        ) {
            #expect(reading.targetProbability == exp(-loss))
            #expect(reading.top == predictions[0])
        }
    }

    @Test("Gradient norms match the model's gradients, and a model without moments has no update")
    func gradients() throws {
        let flow = try inspection().flow
        model.zeroGradients()
        _ = model.forwardBackward(
            tokens: text.tokens,
            targets: text.targets,
            sequenceLength: text.tokens.count,
            gradientScale: 1 / Float(text.tokens.count),
            dropout: nil
        )
        #expect(flow.tensors.map(\.name) == model.layout.tensors.map(\.name))
        for (found, tensor) in zip(flow.tensors, model.layout.tensors) {
            let norm = tensor.range.reduce(0) { $0 + pow(Double(model.gradients.elements[$1]), 2) }.squareRoot()
            #expect(found.gradientNorm == norm, "\(tensor.name)")
            #expect(found.updateRatio == nil)
        }
        let all = flow.tensors.reduce(0) { $0 + $1.gradientNorm * $1.gradientNorm }.squareRoot()
        #expect(abs(all - flow.norm) < 1e-9 * all)
        #expect(flow.learningRate == nil)
    }

    @Test("The update is AdamW's with the checkpoint's moments and options, and does not change the model")
    func update() throws {
        var values = TrainingConfiguration()
        values.learningRate = 0.01
        values.minLR = 0.001
        values.warmupIters = 0
        values.lrDecayIters = 100
        values.weightDecay = 0.2
        values.gradClip = 0.5
        let options = Dictionary(
            uniqueKeysWithValues: ConfigurationKey.all.map { ($0.name, $0.argument(in: values)) }
        )
        let optimizer = Optimizer(layout: model.layout, configuration: values).state
        let (first, second) = (optimizer.slots[0].values.elements, optimizer.slots[1].values.elements)
        for index in 0..<model.layout.count {
            first[index] = Float(index % 7 - 3) * 0.01
            second[index] = Float(index % 5 + 1) * 0.001
        }
        let state = CheckpointState(
            iteration: 50,
            model: model.configuration,
            options: options,
            dataset: "d",
            datasetHash: "h",
            seed: 1
        )
        let store = CheckpointStore(outputFolder: folder.path)
        let checkpoint = try store.save(
            state,
            CheckpointValues(model, optimizer),
            tokenizer: tokenizer,
            isBest: true
        )
        let before = Array(model.parameters.elements)
        let flow = try inspection(checkpoint: checkpoint).flow
        #expect(Array(model.parameters.elements) == before)

        let rate = 0.0055  // halfway between 0.01 and 0.001
        let foundRate = try #require(flow.learningRate)
        #expect(abs(foundRate - rate) < 1e-12)
        let scale = 0.5 / (flow.norm + 1e-6)
        #expect(flow.norm > 0.5, "the gradient must be large enough to be clipped")
        for (found, tensor) in zip(flow.tensors, model.layout.tensors) {
            let (sum, own) = tensor.range.reduce((0.0, 0.0)) { sums, index in
                let (p, g) = (Double(before[index]), Double(model.gradients.elements[index]) * scale)
                let m = 0.9 * Double(first[index]) + 0.1 * g
                let v = 0.95 * Double(second[index]) + 0.05 * g * g
                let step = rate / (1 - pow(0.9, 51)) * m / ((v / (1 - pow(0.95, 51))).squareRoot() + 1e-8)
                let change = step + (tensor.decays ? p * rate * 0.2 : 0)
                return (sums.0 + change * change, sums.1 + p * p)
            }
            let ratio = (sum / own).squareRoot()
            // A change is the difference of two floats, so its error is up to half a unit in the last place of the
            // parameters.
            guard own > 0 else {
                #expect(found.updateRatio == nil, "\(tensor.name)")
                continue
            }
            let foundRatio = try #require(found.updateRatio)
            #expect(abs(foundRatio - ratio) < 1e-4 * ratio, "\(tensor.name): \(foundRatio), expected \(ratio)")
        }
    }

    @Test("Activation statistics match the states")
    func activations() throws {
        let states = Activations(
            residuals: [[3, 4, 0, 0], [1, 1, 1, 1]],
            hidden: [[-4, 5, 0, 1, -3, 0, 3, -9]],
            activated: [[0, 5, 0, 1, 0, 0, 3, 0]]
        )
        var configuration = model.configuration
        configuration.embeddingSize = 2
        let found = ActivationStatistics(states, configuration: configuration)
        #expect(found.residuals.map(\.norm) == [2.5, 2.0.squareRoot()])
        #expect(found.residuals[0].spread.mean == 1.75)
        #expect(found.residuals[1].spread.deviation == 0)
        // Two positions of four units: the inputs -4, -3 and -9 are shut, and the first unit is dead.
        let unit = try #require(found.units.first)
        #expect(unit.shut == 3.0 / 8 && unit.open == 2.0 / 8 && unit.dead == 1.0 / 4)
        #expect(unit.spread.mean == 9.0 / 8)
        configuration.activation = .relu
        #expect(ActivationStatistics(states, configuration: configuration).units[0].shut == 5.0 / 8)
    }

    @Test("The page's weights match the model's to half a millionth, and its JSON is the report's")
    func weights() throws {
        let report = try report()
        let page = report.page(report.json)
        let start = try #require(page.range(of: "<script id=\"data\" type=\"application/json\">"))
        let end = try #require(page.range(of: "</script>", range: start.upperBound..<page.endIndex))
        let json = try JSONValue(parsing: Array(page[start.upperBound..<end.lowerBound].utf8))
        #expect(json == report.json)
        #expect(try JSONValue(parsing: Array(report.json.text().utf8)) == json)
        #expect(!report.json.text().contains("\n"))
        let layers = try #require(json["checkpoints"]?.arrayValue?.first?["attention"]?.arrayValue)
        let weights = model.attentionWeights(tokens: text.tokens)
        let length = text.tokens.count
        for (layer, heads) in weights.enumerated() {
            for (head, expected) in heads.enumerated() {
                let rows = try #require(layers[layer].arrayValue?[head].arrayValue)
                #expect(rows.count == length)
                for (row, values) in rows.enumerated() {
                    let values = try #require(values.arrayValue).compactMap(\.numberValue)
                    #expect(values.count == row + 1)
                    let model = expected[row * length..<row * length + values.count].map { Double($0) }
                    let errors = zip(values, model).map { abs($0 - $1) }
                    #expect(errors.allSatisfy { $0 <= 5.001e-7 }, "layer \(layer), head \(head), row \(row)")
                }
            }
        }
    }

    @Test("Text, title and sample cannot end a script or start an element")
    func escaping() throws {
        let report = try report()
        let page = report.page(report.json)
        #expect(page.contains("<title>inspect: &lt;x&gt;</title>"))
        // Only the page's own two scripts end. Every "<" in the data is written as \u003c, and one token contains it.
        #expect(page.components(separatedBy: "</script>").count == 3)
        #expect(page.contains(#""\u003c""#))
    }

    @Test("Spaces, newlines, invalid bytes and combining marks are made visible")
    func tokenText() {
        #expect(TokenText.visible(Array(" the\n".utf8)) == "·the↵")
        #expect(TokenText.visible([0x61, 0xC3, 0x28, 0xFF]) == "a\\xC3(\\xFF")
        #expect(TokenText.visible([0xE2, 0x82]) == "\\xE2\\x82")
        #expect(TokenText.visible(Array("€ü🙂".utf8)) == "€ü🙂")
        #expect(TokenText.visible([0, 9, 0x7F]) == "\\u{0}⇥\\u{7F}")
        #expect(TokenText.visible(Array("\u{301}\u{202E}".utf8)) == "◌\u{301}\\u{202E}")
        #expect(TokenText.of(7, nil) == "[7]")
        #expect(TokenText.of(99, tokenizer) == "[99]")
    }

    @Test("Numbers are rounded to seven digits")
    func numbers() {
        #expect(InspectionNumber.rounded(0.123456789) == 0.1234568)
        #expect(InspectionNumber.rounded(-123456789) == -123456800)
        #expect(InspectionNumber.rounded(1.23456789e-12) == 1.234568e-12)
        #expect(InspectionNumber.json(.nan) == .null)
        #expect(InspectionNumber.weight(1.0 / 3) == .number(0.333333))
    }

    @Test("A page holds as many checkpoints as its size allows, including the chosen one")
    func size() throws {
        var configuration = model.configuration
        #expect(try InspectionReport.maximumCheckpoints(configuration, tokens: 1000) == 3)
        configuration.layerCount = 12
        configuration.attention.headCount = 12
        let error = #expect(throws: UserError.self) {
            try InspectionReport.maximumCheckpoints(configuration, tokens: 1024)
        }
        #expect(error?.kind == .usage)
        #expect(error?.message.contains("--tokens=372") == true, "\(String(describing: error))")
        #expect(try InspectionReport.maximumCheckpoints(configuration, tokens: 372) == 1)
        #expect(InspectionReport.evenlySpaced(5, limit: 9, keeping: 0) == [0, 1, 2, 3, 4])
        #expect(InspectionReport.evenlySpaced(9, limit: 3, keeping: 8) == [0, 4, 8])
        #expect(InspectionReport.evenlySpaced(9, limit: 3, keeping: 5) == [0, 5, 8])
        #expect(InspectionReport.evenlySpaced(9, limit: 1, keeping: 6) == [6])
        for count in 2..<40 {
            for most in 2..<count {
                for chosen in 0..<count {
                    let kept = InspectionReport.evenlySpaced(count, limit: most, keeping: chosen)
                    #expect(kept.count == most && kept.contains(chosen) && kept == Set(kept).sorted())
                }
            }
        }
    }

    @Test("A text of fewer than two tokens is refused")
    func shortText() throws {
        for (ids, words) in [([Int32](), "x is empty"), ([3], "x is a single token")] {
            let error = #expect(throws: UserError.self) { try InspectedText(ids: ids, count: 4, source: "x") }
            #expect(error?.kind == .data && error?.message.hasPrefix(words) == true)
        }
        let two = try InspectedText(ids: [3, 4], count: 4, source: "x")
        #expect(two.tokens == [3] && two.targets == [4])
    }
}
