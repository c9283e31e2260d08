import Platform

extension RunFiles {
    /// The store in the folder's `checkpoints`.
    public var checkpoints: CheckpointStore { CheckpointStore(outputFolder: folder) }

    /// Path of the text that was sampled at an iteration, whether or not it is there.
    public func sample(iteration: Int) -> String { "\(samples)/\(CheckpointName.name(iteration: iteration)).txt" }

    /// Iterations that a sample was written at, rising.
    public var sampleIterations: [Int] {
        ((try? FileSystem.names(inFolder: samples)) ?? []).compactMap { name in
            name.hasSuffix(".txt") ? CheckpointName.iteration(ofName: String(name.dropLast(4))) : nil
        }
    }
}
