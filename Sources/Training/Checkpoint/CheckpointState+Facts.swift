import Configuration

extension CheckpointState {
    /// Everything in it by name, as text, for people.
    public var facts: [(name: String, value: String)] {
        let run: [(String, String)] = [
            ("iteration", "\(iteration)"),
            ("val_loss", validationLoss.map { "\($0)" } ?? "not measured"),
            ("best_val_loss", bestValidationLoss.map { "\($0)" } ?? "not measured"),
            ("world_size", "\(worldSize)"),
            ("dataset_hash", datasetHash),
            ("vocab_size", "\(model.vocabularySize)"),
        ]
        let values = TrainingConfiguration(shapeOf: model)
        let shape =
            ConfigurationKey.shape.filter { $0.group == .model }.map { ($0.name, $0.argument(in: values)) }
            + [("dataset", dataset), ("seed", "\(seed)")]
        let named = Set(shape.map(\.0))
        let others = options.filter { !named.contains($0.key) }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
        return (run + shape + others).map { (name: $0.0, value: $0.1) }
    }
}
