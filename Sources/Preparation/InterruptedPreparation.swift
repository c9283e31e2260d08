import Platform

/// An error that stopped a preparation on its way.
struct InterruptedPreparation: Error {
    let cause: any Error
    let corpus: Corpus
    let state: PreparationState
    let folder: String
    /// Whether the same command can go on from there.
    let isKept: Bool
    /// Whether the cause itself says what to do.
    var causeExplainsFix = false

    var described: any Error {
        guard let cause = cause as? UserError, !causeExplainsFix else { return self.cause }
        let tokens = state.train.tokens + state.validation.tokens
        let documents = state.train.documents + state.validation.documents
        return UserError(
            cause.kind,
            """
            \(cause.message); \(tokens) tokens of the \(documents) documents before it are kept in \(folder): \
            \(nextStep(isDataError: cause.kind == .data))
            """
        )
    }

    private func nextStep(isDataError: Bool) -> String {
        let fixed = "once that is mended, the same command goes on from there"
        guard isDataError else { return fixed }
        guard corpus.readsStandardInput else {
            // A file that is mended has another size or time, and is another text.
            return
                "the same command goes on from there with the same text; a text that is changed is prepared from its beginning"
        }
        // Standard input is known by what was read of it; files beside it are not.
        return corpus.hasFiles
            ? "the same command goes on from there with the same text"
            : fixed + ", if the text before it is the same"
    }
}
