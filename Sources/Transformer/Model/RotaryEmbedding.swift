import Compute
import Platform

/// Rotary position embedding (Su et al., "RoFormer", 2021). It rotates pairs of features of queries and keys by angles
/// proportional to the position t, so that a score depends on the distance between its positions.
///
/// ```
/// (x[i], x[i + D/2])  →  (x[i] cos a - x[i + D/2] sin a,  x[i + D/2] cos a + x[i] sin a),  a = t / θ^(2i / D)
/// ```
/// The features of a pair are half a head apart, as in GPT-NeoX and Llama. The backward pass uses the opposite angles.
final class RotaryEmbedding {
    private var cosines: [Float] = [], sines: [Float] = []  // (block size, D / 2), filled by `prepare`
    private var half: Int { configuration.attention.headSize / 2 }
    private let configuration: GPTConfiguration

    init(_ configuration: GPTConfiguration) { self.configuration = configuration }

    /// Computes the angles. This is separate from `init` because a model's layout does not need them.
    func prepare() {
        let (D, theta) = (configuration.attention.headSize, configuration.attention.rotaryTheta)
        let frequencies = (0..<half).map { exp(-log(theta) * 2 * Double($0) / Double(D)) }
        let angles = (0..<configuration.blockSize).flatMap { position in frequencies.map { Double(position) * $0 } }
        cosines = angles.map { Float(cos($0)) }
        sines = angles.map { Float(sin($0)) }
    }

    /// Rotates heads that lie side by side in x (rows, heads * D), in place. `backwards` uses the opposite angles.
    func rotate(_ x: MatrixView, backwards: Bool = false, _ rows: Rows) {
        let (half, cosines, sines) = (half, cosines, sines)
        for row in 0..<x.rows {
            let (line, angles) = (x.row(row), rows.position(row) * half)
            for head in stride(from: 0, to: x.columns, by: 2 * half) {
                for pair in 0..<half {
                    let (cos, sin) = (cosines[angles + pair], backwards ? -sines[angles + pair] : sines[angles + pair])
                    let (a, b) = (line[head + pair], line[head + half + pair])
                    line[head + pair] = a * cos - b * sin
                    line[head + half + pair] = b * cos + a * sin
                }
            }
        }
    }
}
