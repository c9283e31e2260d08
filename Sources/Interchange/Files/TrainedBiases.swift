import ModelFiles
import Transformer

/// Whether a model has biases. The weights decide: transformers gives every GPT-2 biases and trains them, whatever
/// `bias` says in its `config.json`, which is a key of ours.
struct TrainedBiases {
    /// Whether the model has them.
    let arePresent: Bool
    /// What a user should know of it; nil where the file is as its description says.
    let notice: String?

    /// - Throws: `UserError(.data)` when a bias cannot be read as floats.
    init(of file: any ModelFile) throws {
        let declared = file.configuration
        let layout = ParameterLayout(declared)
        guard declared.bias else {
            // The zeros of a model without biases do not exist in it.
            let trained = try layout.huggingFaceTensors.first { tensor in
                guard tensor.range == nil else { return false }
                return try file.tensor(named: file.storedName(of: tensor.name)).map { !$0.isZero } ?? false
            }
            arePresent = trained != nil
            notice = trained.map {
                let name = file.storedName(of: $0.name)
                return """
                    \(file.path(ofTensor: name)): \(name) is not zero, so the model has biases, although \
                    \(file.descriptionName) says that it has none (bias)
                    """
            }
            return
        }
        let names = layout.tensors.map(\.name).filter { $0.hasSuffix(".bias") }.map { file.storedName(of: $0) }
        arePresent = !Set(file.tensorNames).isDisjoint(with: names)
        notice = arePresent ? nil : "\(file.path(ofTensor: "")) has no biases, so the model has none (bias=false)"
    }
}
