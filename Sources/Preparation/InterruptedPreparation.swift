import Platform

/// An error that stopped a preparation before it was complete.
struct InterruptedPreparation: Error {
    let cause: any Error
    let corpus: Corpus
    let state: PreparationState
    let folder: String
    /// Whether the folder has files from which the same command can continue.
    let isKept: Bool
    /// Whether the message of the cause already says how to continue.
    var causeExplainsFix = false

    var described: any Error {
        guard let cause = cause as? UserError, !causeExplainsFix else { return self.cause }
        let tokens = state.train.tokens + state.validation.tokens
        let documents = state.train.documents + state.validation.documents
        return UserError(
            cause.kind,
            """
            \(cause.message); the \(tokens) tokens of the \(documents) documents before it are kept in \(folder): \
            \(nextStep(isDataError: cause.kind == .data))
            """
        )
    }

    private func nextStep(isDataError: Bool) -> String {
        let fixed = "fix this and run the same command again to continue"
        guard isDataError else { return fixed }
        guard corpus.readsStandardInput else {
            // A fixed file has another size or modification time, so it counts as another text.
            return
                "the same command continues if the text is unchanged, and starts from the beginning if you change the text"
        }
        // Standard input is identified by the bytes that were read, but files are identified by size and time.
        return corpus.hasFiles
            ? "the same command continues if the text is unchanged"
            : fixed + ", without changing the text before it"
    }
}
