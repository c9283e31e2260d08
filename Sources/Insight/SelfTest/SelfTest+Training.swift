import Configuration
import Compute
import Platform
import Training
import Transformer

/// Checks of the whole model: loss, gradients, threads, generation and learning.
extension SelfTest {
    func loss(_ model: GPT) -> SelfTestCheck {
        let V = configuration.vocabularySize
        var sum = 0.0
        for sequence in 0..<batch {
            let ids = Array(tokens[sequence * length..<(sequence + 1) * length])
            let logits = model.logits(tokens: ids)
            for position in 0..<length {
                let row = logits[position * V..<(position + 1) * V].map(Double.init)
                let largest = row.max()!
                let total = row.reduce(0) { $0 + exp($1 - largest) }
                sum += largest + log(total) - row[Int(targets[sequence * length + position])]
            }
        }
        let (exact, own) = (sum / Double(tokens.count), meanLoss(model))
        return SelfTestCheck(
            name: "Loss",
            statement:
                "The loss is the mean of -ln softmax(logits)[target]; here it is compared with the same formula in double precision.",
            numbers: "\(Numbers.fixed(own, 6)) and \(Numbers.fixed(exact, 6)), limit 1e-4 apart",
            passed: abs(own - exact) < 1e-4
        )
    }

    func gradientsReach(_ model: GPT) -> SelfTestCheck {
        computeGradients(model)
        var smallest: (name: String, norm: Double) = ("", .infinity)
        for tensor in model.layout.tensors {
            let norm = norm(model.gradients.elements[tensor.range].map(Double.init))
            if !(norm >= smallest.norm) { smallest = (tensor.name, norm) }
        }
        let isAllowed = !configuration.ablations.removedHeads.isEmpty || configuration.vocabularySize == 1
        return SelfTestCheck(
            name: "Gradient flow",
            statement: "The loss depends on every parameter tensor, from the first embedding to the last LayerNorm.",
            numbers:
                "smallest gradient norm of \(model.layout.tensors.count) tensors: \(Numbers.short(smallest.norm)), of \(smallest.name)",
            passed: smallest.norm.isFinite && (smallest.norm > 0 || isAllowed)
        )
    }

    func tying(_ model: GPT) -> SelfTestCheck {
        computeGradients(model)
        let present = Set(tokens)
        let width = configuration.embeddingSize
        let absent = (0..<Int32(configuration.vocabularySize)).first { !present.contains($0) }
        let size = absent.map { token in
            let start = model.layout.tokenEmbedding.lowerBound + Int(token) * width
            return norm(model.gradients.elements[start..<start + width].map(Double.init))
        }
        let isTied = configuration.tiedHead
        return SelfTestCheck(
            name: "Weight tying",
            statement: isTied
                ? "The output head shares its weights with the token embedding, so tokens that are not in the input get a gradient too."
                : "The output head has weights of its own, so the embeddings of tokens that are not in the input get no gradient.",
            numbers: size.map {
                "the embedding of a token that is not in the input has gradient norm \(Numbers.short($0))"
            }
                ?? "not checked: the input contains every token of the vocabulary",
            passed: size.map { isTied ? $0 > 0 : $0 == 0 } ?? true
        )
    }

    func finiteDifferences(_ model: GPT) -> SelfTestCheck {
        computeGradients(model)
        let gradient = model.gradients.elements.map(Double.init)
        // The tensors outside the blocks, and those of the middle block.
        let middle = "transformer.h.\(configuration.layerCount / 2)."
        let tensors = model.layout.tensors.filter { !$0.name.contains(".h.") || $0.name.hasPrefix(middle) }
        var worst: (name: String, error: Double) = ("none", 0)
        for tensor in tensors {
            let length = norm(gradient[tensor.range])
            // Skip tiny gradients, where rounding dominates. The gradient of the key bias is exactly zero in theory.
            guard length > 1e-4 else { continue }
            let original = Array(model.parameters.elements[tensor.range])
            // A step for which the change of the loss is well above rounding errors and still nearly linear.
            let step = min(0.03 / length, 0.3 * max(0.02, norm(original.map(Double.init)) / 30))
            func lossAt(_ amount: Double) -> Double {
                for (offset, index) in tensor.range.enumerated() {
                    model.parameters.base[index] = original[offset] + Float(amount * gradient[index] / length)
                }
                return meanLoss(model)
            }
            let slope = (lossAt(step) - lossAt(-step)) / (2 * step)
            _ = lossAt(0)
            let error = abs(slope / length - 1)
            if !(error <= worst.error) { worst = (tensor.name, error) }
        }
        return SelfTestCheck(
            name: "Backward pass",
            statement:
                "A small step along a tensor's gradient changes the loss by the step's length times the gradient's norm.",
            numbers:
                "\(tensors.count) tensors: error at most \(Numbers.fixed(100 * worst.error, 2)) % (\(worst.name)), limit 3 %",
            passed: worst.error < 0.03
        )
    }

    func threads(_ model: GPT) -> SelfTestCheck {
        computeGradients(model)
        let other = newModel(pool: WorkerPool(threadCount: pool.threadCount == 1 ? 2 : 1))
        computeGradients(other)
        let differing = zip(model.gradients.elements, other.gradients.elements).count { $0.bitPattern != $1.bitPattern }
        return SelfTestCheck(
            name: "Threads",
            statement:
                "The gradient has the same bits with \(pool.threadCount) and with \(other.pool.threadCount) threads.",
            numbers: "\(Numbers.grouped(differing)) of \(Numbers.grouped(model.layout.count)) elements differ",
            passed: differing == 0
        )
    }

    func generation(_ model: GPT) -> SelfTestCheck {
        let whole = logits(model)
        let V = configuration.vocabularySize
        let generator = Generator(model: model)
        var worst = 0.0
        for position in 0..<length {
            let row = generator.append([tokens[position]])
            worst = max(worst, largestDifference(row, whole[position * V..<(position + 1) * V]))
        }
        let isCausal = configuration.ablations.causalMask || length == 1
        return SelfTestCheck(
            name: "Generation",
            statement: isCausal
                ? "Predictions made token by token with the key-value cache equal those of a single pass."
                : "Not checked: without the mask, a single pass sees later tokens, so the predictions differ.",
            numbers: "logits differ by at most \(Numbers.short(worst))" + (isCausal ? ", limit 1e-3" : ""),
            passed: isCausal ? worst < 1e-3 : worst.isFinite
        )
    }

    func learning(_ model: GPT) -> SelfTestCheck {
        let learner = newModel()
        let optimizer = Optimizer(layout: learner.layout, configuration: TrainingConfiguration())
        let before = meanLoss(learner)
        // A large model fits these few tokens in fewer steps.
        let steps = model.layout.count > 10_000_000 ? 20 : 60
        for step in 1...steps {
            computeGradients(learner)
            let norm = GradientNorm.measure(learner.gradients, context: learner.context)
            optimizer.update(
                step,
                parameters: learner.parameters,
                gradients: learner.gradients,
                learningRate: 1e-3,
                gradientScale: GradientNorm.clippingScale(norm: norm, maximum: 1),
                context: learner.context
            )
        }
        let after = meanLoss(learner)
        return SelfTestCheck(
            name: "Learning",
            statement: "\(steps) updates on the same \(tokens.count) tokens reduce their loss.",
            numbers: "from \(Numbers.fixed(before, 4)) to \(Numbers.fixed(after, 4)), limit 0.9 times the first",
            passed: after < 0.9 * before || configuration.vocabularySize == 1
        )
    }

    private func norm(_ values: some Sequence<Double>) -> Double {
        values.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
}
