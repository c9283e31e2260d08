import Compute
import Transformer

/// A tensor of Hugging Face's GPT-2, and the location of its values in a model of this project.
package struct HuggingFaceTensor: Equatable, Sendable {
    /// The name in the file, such as `transformer.h.0.attn.c_attn.weight`.
    package let name: String
    /// The shape in the file. Weights of linear layers are (in, out).
    package let shape: [Int]
    package let role: ParameterRole
    /// The range in the flat parameter buffer, or nil for a bias that the model does not have. The file has zeros for
    /// such a bias.
    package let range: Range<Int>?

    /// Whether PyTorch and llm.c store this tensor transposed, as (out, in).
    package var isLinearWeight: Bool { role == .matrix }
}

extension ParameterLayout.Tensor {
    /// Whether PyTorch and llm.c store this tensor transposed, as (out, in).
    package var isLinearWeight: Bool { role == .matrix }
}

extension ParameterLayout {
    /// All tensors of Hugging Face's GPT-2. They always include biases, so the file of a model without biases has
    /// zeros.
    package var huggingFaceTensors: [HuggingFaceTensor] {
        var result: [HuggingFaceTensor] = []
        for tensor in tensors {
            result.append(
                HuggingFaceTensor(name: tensor.name, shape: tensor.shape, role: tensor.role, range: tensor.range)
            )
            guard let bias = tensor.nameOfBias, self.tensor(named: bias) == nil else { continue }
            result.append(HuggingFaceTensor(name: bias, shape: [tensor.shape.last!], role: .vector, range: nil))
        }
        return result
    }

    /// Calls `body` with all tensors of `huggingFaceTensors` and their values, which are valid only during the call.
    ///
    /// - Parameters:
    ///   - parameters: A flat parameter buffer of this layout.
    ///   - vocabularySize: The number of rows of the token embedding and the output head to pass on, which leaves out
    ///     the padding of the vocabulary, or nil for all rows.
    ///   - body: Receives the tensors in the order of the layout.
    package func withHuggingFaceTensors<Result>(
        of parameters: borrowing FloatBuffer,
        vocabularySize: Int? = nil,
        _ body: ([(name: String, shape: [Int], values: UnsafeBufferPointer<Float>)]) throws -> Result
    ) rethrows -> Result {
        precondition(parameters.count == count, "\(parameters.count) parameters do not fit a layout of \(count)")
        return try withHuggingFaceTensors(
            of: UnsafeBufferPointer(parameters.elements),
            vocabularySize: vocabularySize,
            body
        )
    }

    /// Like the method above, for a flat buffer of `count` values that the caller keeps alive.
    package func withHuggingFaceTensors<Result>(
        of all: UnsafeBufferPointer<Float>,
        vocabularySize: Int? = nil,
        _ body: ([(name: String, shape: [Int], values: UnsafeBufferPointer<Float>)]) throws -> Result
    ) rethrows -> Result {
        let tensors = huggingFaceTensors
        let zeros = FloatBuffer(count: tensors.filter { $0.range == nil }.map(\.shape[0]).max() ?? 0)
        return try body(
            tensors.map { tensor in
                let values = tensor.range.map { all[$0] } ?? UnsafeBufferPointer(zeros.elements)[..<tensor.shape[0]]
                var shape = tensor.shape
                if let vocabularySize, tensor.range == tokenEmbedding || tensor.range == outputHead {
                    precondition(
                        vocabularySize <= shape[0],
                        "vocabularySize \(vocabularySize) exceeds \(shape[0]) rows"
                    )
                    shape[0] = vocabularySize
                }
                return (tensor.name, shape, UnsafeBufferPointer(rebasing: values.prefix(shape.reduce(1, *))))
            }
        )
    }
}

extension ParameterLayout.Tensor {
    /// The name of the bias that belongs to this weight in Hugging Face's GPT-2, or nil if there is none.
    fileprivate var nameOfBias: String? {
        guard role == .matrix || role == .vector, name.hasSuffix(".weight") else { return nil }
        return name.dropLast("weight".count) + "bias"
    }
}
