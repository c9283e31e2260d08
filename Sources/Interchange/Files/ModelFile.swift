import Formats
import Transformer

/// A GPT-2 in the files of some tool: which tensors are there, and where their bytes lie. Nothing is read by it; that
/// is `PretrainedModel`'s; `ModelTensors` checks names and shapes, the same way for every tool.
protocol ModelFile: Sendable {
    var configuration: GPTConfiguration { get }
    /// What says so, for messages: `config.json`.
    var descriptionName: String { get }
    /// Whether the weights of linear layers are stored (out, in), as PyTorch has them, and not (in, out), as Hugging
    /// Face's GPT-2.
    var isOutputFirst: Bool { get }
    /// The names of all tensors that are there.
    var tensorNames: [String] { get }
    /// What a user should know of how the description was understood, a sentence each.
    var notices: [String] { get }

    /// What the weights and biases of a layer's queries are to be multiplied by, where the tool scales attention otherwise.
    func queryFactor(inLayer layer: Int) -> Double
    /// What is called `name` by Hugging Face.
    func storedName(of name: String) -> String
    /// The file that a tensor is in or, of one that is missing, the one that should have it.
    func path(ofTensor name: String) -> String
    /// A tensor by its own name, nil where there is none.
    ///
    /// - Throws: `UserError(.data)` when it cannot be read as floats.
    func tensor(named name: String) throws -> StoredTensor?
}

extension ModelFile {
    var notices: [String] { [] }
    func queryFactor(inLayer layer: Int) -> Double { 1 }
}
