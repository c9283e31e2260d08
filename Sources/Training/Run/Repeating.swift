import Compute
import Formats
import Platform
import Transformer

extension GPT {
    /// SHA-256 of all parameters as they lie in memory: equal for runs that are equal to the bit.
    public var parameterHash: String {
        Checksum.sha256(of: UnsafeRawBufferPointer(parameters.elements))
    }
}

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
        return (program + arguments.filter { !Self.isOfThePlace($0) }.map(\.shellQuoted)).joined(separator: " ")
    }

    /// How ranks found each other where the run was made, which decides no bits and may not be so where it is repeated.
    private static func isOfThePlace(_ argument: String) -> Bool {
        ["backend", "interface", "hostfile", "timeout"].contains { argument.hasPrefix("--\($0)=") }
    }

    /// The values of options by their names, as one would type them.
    func arguments(named keys: [ConfigurationKey]) -> [String: String] {
        Dictionary(uniqueKeysWithValues: keys.map { ($0.name, $0.argument(in: values)) })
    }
}
