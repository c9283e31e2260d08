import ModelFiles
import Platform
import Transformer

/// The tensors of a GPT-2 in a file, by their Hugging Face names. All names and shapes are checked.
struct ModelTensors: Sendable {
    let file: any ModelFile
    /// The configuration in the file, with `tiedHead` and `bias` determined from the weights.
    let configuration: GPTConfiguration
    /// Messages for the user about assumptions and conversions.
    let notices: [String]
    private let tokenEmbedding: String

    /// - Throws: `UserError(.data)` with the tensor and the expected shape if a tensor is missing, unknown or has a
    ///   wrong shape.
    init(_ file: any ModelFile) throws {
        self.file = file
        try Self.checkSize(of: file)
        let (head, biases) = (try OutputHead(of: file), try TrainedBiases(of: file))
        var configuration = file.configuration
        (configuration.tiedHead, configuration.bias) = (head.isTied, biases.arePresent)
        self.configuration = configuration
        tokenEmbedding = head.tokenEmbedding
        notices = file.notices + [head.notice, biases.notice].compactMap { $0 }
        try check()
    }

    /// Returns the name in the file of the tensor with a Hugging Face name.
    func storedName(of name: String) -> String {
        name == OutputHead.embeddingName ? tokenEmbedding : file.storedName(of: name)
    }

    // MARK: - Checks

    /// Checks that the sizes in the file are plausible before a `ParameterLayout` is created from them.
    private static func checkSize(of file: any ModelFile) throws {
        let (configuration, count) = (file.configuration, file.tensorNames.count)
        guard configuration.layerCount <= count else {
            throw UserError(
                .data,
                """
                \(file.path(ofTensor: "")) has \(count) tensors, too few for the \
                \(configuration.layerCount) layers of \(file.descriptionName)
                """
            )
        }
        let width = Double(configuration.embeddingSize)
        let rows = Double(configuration.vocabularySize + configuration.blockSize)
        let layer = 5 * width + 2 * Double(configuration.feedForward.hiddenSize)
        guard width * (rows + layer * Double(configuration.layerCount)) < 0x1p60 else {
            throw UserError(
                .data,
                "\(file.descriptionName) of \(file.path(ofTensor: "")) describes a model that is too large: \(configuration)"
            )
        }
    }

    private func check() throws {
        let expected = ParameterLayout(configuration).huggingFaceTensors
        let known = expected.map { storedName(of: $0.name) } + ignoredTensors
        let unknown = Set(file.tensorNames).subtracting(known)
        for tensor in expected { try check(tensor, unknown) }
        if let name = unknown.min() {
            throw UserError(.data, "\(file.path(ofTensor: name)) has a tensor \(name), which GPT-2 does not have")
        }
    }

    private func check(_ tensor: HuggingFaceTensor, _ unknown: Set<String>) throws {
        let name = storedName(of: tensor.name)
        guard let stored = try file.tensor(named: name) else {
            if tensor.range == nil { return }
            throw UserError(
                .data,
                """
                \(file.path(ofTensor: name)) has no tensor \(name), which \(file.descriptionName) requires\
                \(Self.list(unknown))
                """
            )
        }
        let expected = file.isOutputFirst && tensor.isLinearWeight ? tensor.shape.reversed() : tensor.shape
        guard stored.shape == expected else {
            throw UserError(
                .data,
                """
                \(file.path(ofTensor: name)): tensor \(name) has shape \(stored.shape), but \
                \(file.descriptionName) requires \(expected)
                """
            )
        }
        guard tensor.range != nil || stored.isZero else {
            throw UserError(
                .data,
                "\(file.path(ofTensor: name)): tensor \(name) is not zero, but the model has no such bias"
            )
        }
    }

    /// Returns a list of unknown tensors for the message about a missing tensor, which may have one of these names.
    private static func list(_ names: Set<String>) -> String {
        guard !names.isEmpty else { return "" }
        let shown = names.sorted().prefix(3).joined(separator: ", ")
        return "; it has \(shown)" + (names.count > 3 ? " and \(names.count - 3) more that GPT-2 does not have" : "")
    }

    /// The names of redundant tensors: the constant masks of older versions of transformers, and the output head if it
    /// is a copy of the token embedding.
    private var ignoredTensors: [String] {
        let masks = (0..<configuration.layerCount).flatMap { layer in
            ["bias", "masked_bias"].map { "transformer.h.\(layer).attn.\($0)" }
        }
        return (masks + (configuration.tiedHead ? [OutputHead.headName] : [])).map { file.storedName(of: $0) }
    }
}
