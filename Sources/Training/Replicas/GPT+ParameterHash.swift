import Compute
import Formats
import Transformer

extension GPT {
    /// SHA-256 of all parameters in the order of the layout. Runs with the same bits have the same hash.
    public var parameterHash: String {
        Checksum.sha256(of: UnsafeRawBufferPointer(parameters.elements))
    }
}
