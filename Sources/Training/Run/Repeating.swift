import Compute
import Configuration
import Formats
import Platform

extension ResolvedConfiguration {
    /// The command that repeats the run, ready for a shell. Of several ranks, whose number decides the bits: over TCP on one
    /// machine, or by MPI where it summed.
    func command(ranks: Int) -> String {
        let program: [String]
        switch (ranks, values.allReduce) {
        case (1, _): program = ["ddp-train"]
        case (_, .ring): program = ["ddp-train", "launch", "-n", "\(ranks)"]
        case (_, .native): program = ["mpirun", "-np", "\(ranks)", "ddp-train"]
        }
        // Connection options do not change results and may not apply on another machine.
        let options = arguments { $0.effect != .connection }
        return (program + options.map(\.shellQuoted)).joined(separator: " ")
    }

    /// The values of options by their names, as one would type them.
    func arguments(named keys: [ConfigurationKey]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0.argument(in: values)) })
    }
}
