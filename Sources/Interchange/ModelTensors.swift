import ModelFiles
import Platform
import Transformer

/// The tensors of a GPT-2 in a file, by Hugging Face's names, with every name and shape checked.
struct ModelTensors: Sendable {
    let file: any ModelFile
    /// The description, with what the weights decide.
    let configuration: GPTConfiguration
    /// What a user should know of how the file was understood, a sentence each.
    let notices: [String]
    private let tokenEmbedding: String

    /// - Throws: `UserError(.data)` that names the tensor, and what was expected.
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

    /// The file's own name of a tensor.
    func storedName(of name: String) -> String {
        name == OutputHead.embeddingName ? tokenEmbedding : file.storedName(of: name)
    }

    // MARK: - Checks

    /// Before a layout is made from numbers that the file may not bear out.
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
                "\(file.descriptionName) of \(file.path(ofTensor: "")) describes a model that cannot be: \(configuration)"
            )
        }
    }

    private func check() throws {
        let expected = ParameterLayout(configuration).huggingFaceTensors
        let unknown = Set(file.tensorNames).subtracting(expected.map { storedName(of: $0.name) }).subtracting(
            ignoredTensors
        )
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
                \(file.path(ofTensor: name)) has no tensor \(name), which \(file.descriptionName) calls for\
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
                \(file.descriptionName) says \(expected)
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

    /// What is there in place of a tensor that is missing.
    private static func list(_ names: Set<String>) -> String {
        guard !names.isEmpty else { return "" }
        let shown = names.sorted().prefix(3).joined(separator: ", ")
        return "; it has \(shown)" + (names.count > 3 ? " and \(names.count - 3) more that GPT-2 does not have" : "")
    }

    /// Tensors that say nothing of their own: the constant masks of older versions of transformers, and the head where it is
    /// the token embedding a second time.
    private var ignoredTensors: [String] {
        let masks = (0..<configuration.layerCount).flatMap { layer in
            ["bias", "masked_bias"].map { "transformer.h.\(layer).attn.\($0)" }
        }
        return (masks + (configuration.tiedHead ? [OutputHead.headName] : [])).map { file.storedName(of: $0) }
    }
}
