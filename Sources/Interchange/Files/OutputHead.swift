import Platform

/// Where the output head and the token embedding of a model lie in its file. The weights decide, because descriptions
/// leave it out or have it wrong.
///
/// | the file has | the model |
/// | --- | --- |
/// | the token embedding alone, or the same values twice | is tied |
/// | a head with other values | has a head of its own, as in transformers 5 and PyTorch |
/// | the head alone | is tied, and its token embedding is the head |
///
/// A description that says that they are not tied is taken at its word.
struct OutputHead {
    /// Hugging Face's names of the two.
    static let embeddingName = "transformer.wte.weight"
    static let headName = "lm_head.weight"

    /// Whether the head is the token embedding.
    let isTied: Bool
    /// The file's own name of the tensor with the token embedding.
    let tokenEmbedding: String
    /// What a user should know of it; nil where the file is as its description says.
    let notice: String?

    /// - Throws: `UserError(.data)` when the two have different shapes or cannot be read as floats.
    init(of file: any ModelFile) throws {
        let (embeddingName, headName) = (file.storedName(of: Self.embeddingName), file.storedName(of: Self.headName))
        guard file.configuration.tiedHead, let head = try file.tensor(named: headName) else {
            (isTied, tokenEmbedding, notice) = (file.configuration.tiedHead, embeddingName, nil)
            return
        }
        let path = file.path(ofTensor: headName)
        guard let embedding = try file.tensor(named: embeddingName) else {
            (isTied, tokenEmbedding) = (true, headName)
            notice = "\(path) has no \(embeddingName): \(headName) is also the token embedding"
            return
        }
        guard head.shape == embedding.shape else {
            throw UserError(
                .data,
                """
                \(path): \(headName) has shape \(head.shape), but \(embeddingName) has \(embedding.shape): an output head needs \
                a row for each token
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
