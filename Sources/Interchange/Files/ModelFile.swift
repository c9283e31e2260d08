import Formats
import Transformer

/// A GPT-2 in the files of another tool: its configuration and the location of its tensors. `ModelTensors` checks names
/// and shapes, and `PretrainedModel` reads the values.
protocol ModelFile: Sendable {
    var configuration: GPTConfiguration { get }
    /// The source of the configuration in messages, such as `config.json`.
    var descriptionName: String { get }
    /// Whether the weights of linear layers are stored as (out, in), as in PyTorch, and not as (in, out), as in Hugging
    /// Face's GPT-2.
    var isOutputFirst: Bool { get }
    /// The names of all tensors in the files.
    var tensorNames: [String] { get }
    /// Messages for the user about assumptions and conversions.
    var notices: [String] { get }

    /// Returns the factor for the weights and biases of a layer's queries. It is not 1 if the tool scales attention
    /// scores differently.
    func queryFactor(inLayer layer: Int) -> Double
    /// Returns the name in the files of the tensor with a Hugging Face name.
    func storedName(of name: String) -> String
    /// Returns the path of the file that contains a tensor, or that should contain it.
    func path(ofTensor name: String) -> String
    /// Returns the tensor with a stored name, or nil if there is none.
    ///
    /// - Throws: `UserError(.data)` if the tensor cannot be read as floats.
    func tensor(named name: String) throws -> StoredTensor?
}

extension ModelFile {
    var notices: [String] { [] }
    func queryFactor(inLayer layer: Int) -> Double { 1 }
}
