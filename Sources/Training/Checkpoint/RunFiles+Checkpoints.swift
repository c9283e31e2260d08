import Platform

extension RunFiles {
    /// The checkpoints of the run.
    public var checkpoints: CheckpointStore { CheckpointStore(outputFolder: folder) }

    /// The path of the sample of an iteration, which need not exist.
    public func sample(iteration: Int) -> String { "\(samples)/\(CheckpointName.name(iteration: iteration)).txt" }

    /// The iterations of all samples, in rising order.
    public var sampleIterations: [Int] {
        ((try? FileSystem.names(inFolder: samples)) ?? []).compactMap { name in
            name.hasSuffix(".txt") ? CheckpointName.iteration(ofName: String(name.dropLast(4))) : nil
        }
    }
}
