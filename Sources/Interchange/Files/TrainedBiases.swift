import ModelFiles
import Transformer

/// Determines from the weights of a file whether the model has biases. The key `bias` of config.json is not enough,
/// because it is an addition of this project: transformers ignores it and trains biases in every GPT-2.
struct TrainedBiases {
    let arePresent: Bool
    /// A message for the user if the weights differ from the configuration; nil otherwise.
    let notice: String?

    /// - Throws: `UserError(.data)` if a bias cannot be read as floats.
    init(of file: any ModelFile) throws {
        let declared = file.configuration
        let layout = ParameterLayout(declared)
        guard declared.bias else {
            // Biases that are all zero belong to a model without biases.
            let trained = try layout.huggingFaceTensors.first { tensor in
                guard tensor.range == nil else { return false }
                return try file.tensor(named: file.storedName(of: tensor.name)).map { !$0.isZero } ?? false
            }
            arePresent = trained != nil
            notice = trained.map {
                let name = file.storedName(of: $0.name)
                return """
                    \(file.path(ofTensor: name)): \(name) is not zero, so the model has biases, although \
                    \(file.descriptionName) says that it has none (bias=false)
                    """
            }
            return
        }
        let names = layout.tensors.map(\.name).filter { $0.hasSuffix(".bias") }.map { file.storedName(of: $0) }
        arePresent = !Set(file.tensorNames).isDisjoint(with: names)
        notice =
            arePresent ? nil : "\(file.path(ofTensor: "")) has no bias tensors, so the model has no biases (bias=false)"
    }
}
