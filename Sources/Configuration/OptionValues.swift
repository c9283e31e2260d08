/// Which ranks compute the batches of an evaluation.
public enum EvaluationRanks: String, Sendable, CaseIterable {
    /// Each rank its share of the batches.
    case all
    /// Rank 0, while the others wait.
    case rank0
}

/// How much of the data is compared before training.
public enum DataVerification: String, Sendable, CaseIterable {
    /// Between the ranks of a job: blocks of every file, and those that the first steps read.
    case samples
    /// Every byte, between the ranks and with the hashes in dataset.json.
    case full
}

/// What a run does when a checkpoint could not be saved.
public enum SaveFailure: String, Sendable, CaseIterable {
    /// Says so, trains on, and tries again at the next evaluation.
    case `continue`
    /// Ends the run.
    case stop
}

/// Where a model is computed.
public enum Device: String, Sendable, CaseIterable {
    /// The same as `cpu`.
    case auto
    case cpu
}

/// The number format of parameters and activations.
public enum DataType: String, Sendable, CaseIterable {
    case float32
}

/// What carries the messages between ranks.
public enum Backend: String, Sendable, CaseIterable {
    /// MPI under its launcher where it is built in, else TCP.
    case auto
    /// One rank, whatever the environment says.
    case none
    /// Sockets between the ranks.
    case tcp
    /// MPI, or an error where it cannot be used.
    case mpi
}

/// How gradients are summed over the ranks.
public enum GradientSum: String, Sendable, CaseIterable {
    /// The segmented ring of this program: the same bits over every transport.
    case ring
    /// MPI's own all-reduce.
    case native
}

/// How much of a run its `profile` records.
public enum ProfileExtent {
    /// Steps that are not recorded.
    public static let warmUp = 2
    /// Steps that are recorded at most.
    public static let stepCount = 10
    /// Events that are kept at most, over all workers: 5 MB in memory, some 20 MB as a file.
    public static let eventCount = 200_000
}
