import Platform

/// The names of checkpoints and of samples by iteration, such as `step-00000250`.
public enum CheckpointName {
    /// The name has at least eight digits, so that names sort by iteration.
    public static func name(iteration: Int) -> String {
        "step-" + String(iteration).zeroPadded(to: 8)
    }

    /// The iteration of a name; nil for any other name.
    static func iteration(ofName name: String) -> Int? {
        guard name.hasPrefix("step-"), let iteration = Int(name.dropFirst("step-".count)) else { return nil }
        return self.name(iteration: iteration) == name ? iteration : nil
    }
}
