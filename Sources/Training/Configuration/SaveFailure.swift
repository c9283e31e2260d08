/// What a run does when a checkpoint could not be saved.
public enum SaveFailure: String, Sendable, CaseIterable {
    /// Says so, trains on, and tries again at the next evaluation.
    case `continue`
    case stop
}
