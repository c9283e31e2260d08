import Compute
import Transformer

/// A tensor of Hugging Face's GPT-2, and where its values lie in a model here.
package struct HuggingFaceTensor: Equatable, Sendable {
    /// Such as `transformer.h.0.attn.c_attn.weight`.
    package let name: String
    /// As in the file: weights of linear layers are (in, out).
    package let shape: [Int]
    /// What the tensor is for.
    package let role: ParameterRole
    /// Elements of the flat buffer; nil for a bias that the model does not have, which is zeros in the file.
    package let range: Range<Int>?

    /// Whether other tools store this tensor transposed, as (out, in).
    package var isLinearWeight: Bool { role == .matrix }
}

extension ParameterLayout.Tensor {
    /// Whether other tools store this tensor transposed, as (out, in).
    package var isLinearWeight: Bool { role == .matrix }
}

extension ParameterLayout {
    /// Every tensor of Hugging Face's GPT-2. Biases are not optional there: a model without them has zeros in the file.
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

    /// Calls `body` with every tensor of `huggingFaceTensors` and its values, which are valid during the call.
    ///
    /// - Parameters:
    ///   - parameters: a flat buffer of this layout.
    ///   - vocabularySize: rows of the token embedding and the output head to pass on, where they were padded; nil for
    ///     all.
    ///   - body: gets the tensors in the order of the layout.
    package func withHuggingFaceTensors<Result>(
        of parameters: borrowing FloatBuffer,
        vocabularySize: Int? = nil,
        _ body: ([(name: String, shape: [Int], values: UnsafeBufferPointer<Float>)]) throws -> Result
    ) rethrows -> Result {
        precondition(parameters.count == count, "\(parameters.count) parameters for a layout of \(count)")
        return try withHuggingFaceTensors(
            of: UnsafeBufferPointer(parameters.elements),
            vocabularySize: vocabularySize,
            body
        )
    }

    /// The same for the `count` values of a flat buffer that the caller keeps alive.
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
                    precondition(vocabularySize <= shape[0], "\(vocabularySize) rows of \(shape[0])")
                    shape[0] = vocabularySize
                }
                return (tensor.name, shape, UnsafeBufferPointer(rebasing: values.prefix(shape.reduce(1, *))))
            }
        )
    }
}

extension ParameterLayout.Tensor {
    /// The name of the bias that Hugging Face's GPT-2 has beside this weight; nil where it has none.
    fileprivate var nameOfBias: String? {
        guard role == .matrix || role == .vector, name.hasSuffix(".weight") else { return nil }
        return name.dropLast("weight".count) + "bias"
    }
}
