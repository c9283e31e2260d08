/// What a run knows of its evaluations and checkpoints.
///
/// The best loss counts from the evaluation on, and is taken back when the checkpoint of that evaluation cannot be
/// saved: a best that is not on disk must not be the one to beat.
struct RunLedger {
    /// The iteration of the newest checkpoint.
    private(set) var lastSaved: Int?
    /// The lowest validation loss so far, of checkpoints that were saved, are being saved, or were not wanted.
    private(set) var bestValidationLoss: Double?
    /// `bestValidationLoss` before the last evaluation; restored if its checkpoint cannot be saved.
    private var bestBeforeSave: Double?
    /// Without a loss where there are no validation data.
    private var lastEvaluation: (iteration: Int, validationLoss: Double?)?
    /// As `CheckpointState.hasChangedCourse`; known to rank 0.
    let hasChangedCourse: Bool

    /// - Parameter resumed: the state of the checkpoint that the run goes on from; nil for a new run.
    init(resumed: CheckpointState?, hasChangedCourse: Bool) {
        self.hasChangedCourse = hasChangedCourse
        guard let resumed else { return }
        lastSaved = resumed.iteration
        bestValidationLoss = resumed.bestValidationLoss
        lastEvaluation = resumed.validationLoss.map { (resumed.iteration, $0) }
    }

    /// The validation loss of an iteration, if it was evaluated last.
    func validationLoss(at iteration: Int) -> Double? {
        lastEvaluation?.iteration == iteration ? lastEvaluation?.validationLoss : nil
    }

    /// Whether an iteration is the last that was evaluated.
    func isEvaluated(_ iteration: Int) -> Bool { lastEvaluation?.iteration == iteration }

    /// Whether a validation loss is the lowest so far; not one that is not known.
    func isBest(_ validationLoss: Double?) -> Bool { validationLoss ?? .infinity < bestValidationLoss ?? .infinity }

    /// Takes note of an evaluation. Must not be called while a save is under way.
    mutating func evaluated(_ iteration: Int, validationLoss: Double?) {
        bestBeforeSave = bestValidationLoss
        lastEvaluation = (iteration, validationLoss)
        if isBest(validationLoss) { bestValidationLoss = validationLoss }
    }

    /// Takes note of a save that has ended well.
    mutating func saved(_ iteration: Int) { lastSaved = iteration }

    /// Takes note of a save that has failed.
    ///
    /// - Parameter isBest: whether it was that of the best evaluation so far.
    mutating func saveFailed(isBest: Bool) {
        if isBest { bestValidationLoss = bestBeforeSave }
    }
}
