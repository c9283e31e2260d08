import Configuration
import Platform

extension CheckpointState {
    /// The value that an option had, as one would type it; nil when the checkpoint is older than the option.
    public func option(_ field: PartialKeyPath<TrainingConfiguration>) -> String? {
        options[ConfigurationKey.of(field).name]
    }

    /// The options of the run that saved it, as a configuration.
    ///
    /// - Throws: `UserError(.data)` naming an option with a value that is none.
    var configuration: TrainingConfiguration {
        get throws {
            var values = TrainingConfiguration()
            for key in ConfigurationKey.all {
                guard let text = options[key.name] else { continue }
                do {
                    try key.set(argument: text, in: &values)
                } catch {
                    throw UserError(.data, "the checkpoint's option \(key.name)=\(text): \(error.reason)")
                }
            }
            return values
        }
    }
}
