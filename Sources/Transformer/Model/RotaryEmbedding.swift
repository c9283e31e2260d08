import Compute
import Platform

/// Rotary position embedding (Su et al., "RoFormer", 2021): queries and keys of position t are turned, feature pair by feature
/// pair, so that a score depends on the distance of its positions.
///
/// ```
/// (x[i], x[i + D/2])  →  (x[i] cos a - x[i + D/2] sin a,  x[i + D/2] cos a + x[i] sin a),  a = t / θ^(2i / D)
/// ```
/// Pairs are half a head apart, as in GPT-NeoX and Llama. The gradient is turned back by the same angles.
final class RotaryEmbedding {
    private var cosines: [Float] = [], sines: [Float] = []  // (block size, D / 2), once `prepare` is called
    private var half: Int { configuration.attention.headSize / 2 }
    private let configuration: GPTConfiguration

    init(_ configuration: GPTConfiguration) { self.configuration = configuration }

    /// Computes the angles: not before a model is made, as its layout alone does not need them.
    func prepare() {
        let (D, theta) = (configuration.attention.headSize, configuration.attention.rotaryTheta)
        let frequencies = (0..<half).map { exp(-log(theta) * 2 * Double($0) / Double(D)) }
        let angles = (0..<configuration.blockSize).flatMap { position in frequencies.map { Double(position) * $0 } }
        cosines = angles.map { Float(cos($0)) }
        sines = angles.map { Float(sin($0)) }
    }

    /// Turns heads that lie side by side in x (rows, heads * D), in place; `backwards` by the opposite angles.
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
