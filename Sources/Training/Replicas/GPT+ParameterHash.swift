import Compute
import Formats
import Transformer

extension GPT {
    /// SHA-256 of all parameters as they lie in memory: equal for runs that are equal to the bit.
    public var parameterHash: String {
        Checksum.sha256(of: UnsafeRawBufferPointer(parameters.elements))
    }
}
