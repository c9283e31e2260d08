import Platform

/// Determines from the weights of a file whether the output head is tied to the token embedding, because configurations
/// often omit this setting or have it wrong.
///
/// | tensors in the file | output head |
/// | --- | --- |
/// | only the token embedding, or a head with the same values | tied |
/// | a head with other values | not tied, as in transformers 5 and PyTorch |
/// | only the head | tied; the head is also the token embedding |
///
/// If the configuration says that they are not tied, it is trusted.
struct OutputHead {
    /// Hugging Face's name of the token embedding.
    static let embeddingName = "transformer.wte.weight"
    /// Hugging Face's name of the output head.
    static let headName = "lm_head.weight"

    let isTied: Bool
    /// The name in the file of the tensor with the token embedding.
    let tokenEmbedding: String
    /// A message for the user if the weights differ from the configuration; nil otherwise.
    let notice: String?

    /// - Throws: `UserError(.data)` if both tensors have different shapes or cannot be read as floats.
    init(of file: any ModelFile) throws {
        let embeddingName = file.storedName(of: Self.embeddingName)
        let headName = file.storedName(of: Self.headName)
        guard file.configuration.tiedHead, let head = try file.tensor(named: headName) else {
            (isTied, tokenEmbedding, notice) = (file.configuration.tiedHead, embeddingName, nil)
            return
        }
        let path = file.path(ofTensor: headName)
        guard let embedding = try file.tensor(named: embeddingName) else {
            (isTied, tokenEmbedding) = (true, headName)
            notice = "\(path) has no \(embeddingName); using \(headName) as the token embedding too"
            return
        }
        guard head.shape == embedding.shape else {
            throw UserError(
                .data,
                """
                \(path): \(headName) has shape \(head.shape), but \(embeddingName) has \(embedding.shape); an output head \
                needs one row per token
                """
            )
        }
        tokenEmbedding = embeddingName
        isTied = head.hasValues(of: embedding)
        notice =
            isTied
            ? nil
            : """
            \(path): \(headName) differs from \(embeddingName), so the output head is not tied to the token embedding \
            (tied_head=false)
            """
    }
}
