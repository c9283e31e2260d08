import Compute
import ReferenceGPT
import Testing

@testable import Transformer

@Suite("Attention within documents")
struct DocumentMaskTests {
    private static let vocabulary = 19
    private let boundaries = DocumentBoundaries(endOfText: 18)

    struct Batch: CustomTestStringConvertible, Sendable {
        let testDescription: String
        var length: Int
        /// The positions of the end-of-text tokens in each sequence.
        var ends: [[Int]]

        static let all = [
            Batch(
                testDescription: "none, at the start, at the end, everywhere",
                length: 11,
                ends: [[], [0], [10], Array(0..<11)]
            ),
            Batch(testDescription: "one, two and several blocks of queries", length: 150, ends: [[0, 31, 140], [64]]),
            Batch(testDescription: "several chunks", length: 100, ends: (0..<21).map { [4 * $0, 4 * $0 + 7] }),
        ]

        var tokens: [Int32] {
            var tokens = testTokens(ends.count * length, below: vocabulary - 1, item: 1)
            for (sequence, ends) in ends.enumerated() {
                for end in ends { tokens[sequence * length + end] = Int32(vocabulary - 1) }
            }
            return tokens
        }

        var targets: [Int32] { testTokens(ends.count * length, below: vocabulary, item: 2) }
    }

    private func model(_ batch: Batch, threads: Int = 2, dropout: Float = 0) -> GPT {
        testModel(
            GPTConfiguration(
                layerCount: 2,
                headCount: 2,
                embeddingSize: 12,
                blockSize: batch.length,
                vocabularySize: Self.vocabulary,
                bias: true,
                dropout: dropout
            ),
            threads: threads
        )
    }

    @Test("an end-of-text token belongs to the document that it ends")
    func documents() {
        let tokens: [Int32] = [3, 18, 18, 4, 5, 18]
        #expect(boundaries.documents(tokens, length: 6) == [0..<2, 2..<3, 3..<6])
        #expect(boundaries.documents(tokens, length: 5) == [0..<2, 2..<3, 3..<5])
        #expect(boundaries.documents(tokens, length: 1) == [0..<1])
    }

    /// The reference model has no document mask. A document alone in a sequence needs none: with the position
    /// embeddings of its place in the window, each document gives its part of the loss and of the gradient.
    @Test(
        "the loss and the gradient of every tensor are the sums over the documents computed separately",
        arguments: Batch.all
    )
    func everyTensor(batch: Batch) throws {
        let model = model(batch)
        let (tokens, targets) = (batch.tokens, batch.targets)
        let loss = model.forwardBackward(
            tokens: tokens,
            targets: targets,
            sequenceLength: batch.length,
            gradientScale: 1,
            dropout: nil,
            boundaries: boundaries
        )
        let positions = try #require(model.layout.tensors.first { $0.name == "transformer.wpe.weight" }).range
        var (exactLoss, exact) = (0.0, [Double](repeating: 0, count: model.layout.count))
        for sequence in batch.ends.indices {
            let ends = batch.ends[sequence].map { $0 + 1 } + [batch.length]
            for (start, end) in zip([0] + ends, ends) where start < end {
                var alone = reference(of: model)
                let shift = start * model.configuration.embeddingSize
                for index in positions where index + shift < positions.upperBound {
                    alone.parameters[index] = alone.parameters[index + shift]
                }
                let range = sequence * batch.length + start..<sequence * batch.length + end
                let (mean, gradients) = alone.lossAndGradients(
                    tokens: tokens[range].map(Int.init),
                    targets: targets[range].map(Int.init),
                    T: range.count
                )
                exactLoss += mean * Double(range.count)
                for index in exact.indices {
                    let isPosition = positions.contains(index)
                    guard !isPosition || index + shift < positions.upperBound else { continue }
                    exact[isPosition ? index + shift : index] += gradients[index] * Double(range.count)
                }
            }
        }
        #expect(abs(loss - exactLoss) < 1e-5 * exactLoss)
        let evaluated = model.loss(
            tokens: tokens,
            targets: targets,
            sequenceLength: batch.length,
            boundaries: boundaries
        )
        #expect(abs(evaluated - loss) < 1e-9 * loss)
        let whole = norm(exact)
        for tensor in model.layout.tensors {
            let difference = zip(exact[tensor.range], model.gradients.elements[tensor.range]).map { $0 - Double($1) }
            #expect(
                norm(difference) <= 2e-5 * norm(exact[tensor.range]) + 1e-6 * whole,
                "\(tensor.name): \(norm(difference)) of \(norm(exact[tensor.range]))"
            )
        }
    }

    @Test("the gradient agrees with finite differences of the masked loss")
    func finiteDifferences() {
        let batch = Batch(testDescription: "", length: 11, ends: [[2, 7], [], [5]])
        let model = model(batch)
        func loss() -> Double {
            model.forwardBackward(
                tokens: batch.tokens,
                targets: batch.targets,
                sequenceLength: 11,
                gradientScale: 1,
                dropout: nil,
                boundaries: boundaries
            )
        }
        _ = loss()
        let gradient = model.gradients.elements.map(Double.init)
        let original = Array(model.parameters.elements)
        for tensor in model.layout.tensors where !tensor.name.hasSuffix("c_attn.bias") {
            let length = norm(gradient[tensor.range])
            func shifted(_ amount: Double) -> Double {
                for index in tensor.range {
                    model.parameters.base[index] = original[index] + Float(amount * gradient[index] / length)
                }
                defer { for index in tensor.range { model.parameters.base[index] = original[index] } }
                return loss()
            }
            let step = 4e-3
            let slope = (shifted(step) - shifted(-step)) / (2 * step)
            #expect(abs(slope / length - 1) < 0.01, "\(tensor.name): \(slope) beside \(length)")
        }
    }

    @Test(
        "the bits do not depend on the number of threads, with and without dropout",
        arguments: [0, 0.2] as [Float],
        [1, 13]
    )
    func threads(dropout: Float, sequences: Int) {
        let batch = Batch(testDescription: "", length: 96, ends: (0..<sequences).map { [3 + $0, 40, 41] })
        let results = [1, 2, 3, 7].map { threads in
            let model = model(batch, threads: threads, dropout: dropout)
            let loss = model.forwardBackward(
                tokens: batch.tokens,
                targets: batch.targets,
                sequenceLength: 96,
                gradientScale: 0.01,
                dropout: DropoutKey(seed: 1, step: 1, firstSequence: 0),
                boundaries: boundaries
            )
            return [Float(loss)] + Array(model.gradients.elements)
        }
        for result in results { #expect(result == results[0]) }
    }

    @Test("a window with one document gives the same bits as attention without boundaries")
    func oneDocument() {
        let batch = Batch(testDescription: "", length: 100, ends: [[99], []])
        let results = [boundaries, nil].map { boundaries in
            let model = model(batch)
            let loss = model.forwardBackward(
                tokens: batch.tokens,
                targets: batch.targets,
                sequenceLength: 100,
                gradientScale: 1,
                dropout: nil,
                boundaries: boundaries
            )
            return [Float(loss)] + Array(model.gradients.elements)
        }
        #expect(results[0] == results[1])
    }
}
