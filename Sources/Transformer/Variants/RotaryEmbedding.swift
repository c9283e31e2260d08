import Compute
import Platform

/// Rotary position embedding (Su et al., "RoFormer", 2021): queries and keys of position t are turned, feature pair by feature pair,
/// so that a score depends on the distance of its positions.
///
/// ```
/// (x[i], x[i + D/2])  →  (x[i] cos a - x[i + D/2] sin a,  x[i + D/2] cos a + x[i] sin a),  a = t / 10000^(2i / D)
/// ```
/// Pairs are half a head apart, as in GPT-NeoX and Llama. The gradient is turned back by the same angles.
final class RotaryEmbedding {
    private let cosines: [Float]  // (block size, D / 2)
    private let sines: [Float]
    private let headSize: Int

    /// - Parameter headSize: D, an even number.
    init(blockSize: Int, headSize: Int) {
        precondition(headSize % 2 == 0, "pairs of an odd number of features")
        self.headSize = headSize
        let half = headSize / 2
        let frequencies = (0..<half).map { exp(-9.210340371976184 * 2 * Double($0) / Double(headSize)) }
        let angles = (0..<blockSize).flatMap { position in frequencies.map { Double(position) * $0 } }
        cosines = angles.map { Float(cos($0)) }
        sines = angles.map { Float(sin($0)) }
    }

    /// Turns q and k of rows of (rows, 3C), in place.
    ///
    /// - Parameters:
    ///   - firstRow: the number of the first row within a chunk of sequences of `length` tokens.
    ///   - firstPosition: of each sequence's first row.
    ///   - backwards: by the opposite angles.
    func turn(_ qkv: MatrixView, firstRow: Int, length: Int, firstPosition: Int = 0, backwards: Bool = false) {
        let half = headSize / 2
        let sign: Float = backwards ? -1 : 1
        for row in 0..<qkv.rows {
            let angles = (firstPosition + (firstRow + row) % length) * half
            let line = qkv.rows(row..<row + 1).base
            for head in stride(from: 0, to: qkv.columns / 3 * 2, by: headSize) {
                for pair in 0..<half {
                    let (cos, sin) = (cosines[angles + pair], sign * sines[angles + pair])
                    let (a, b) = (line[head + pair], line[head + half + pair])
                    line[head + pair] = a * cos - b * sin
                    line[head + half + pair] = b * cos + a * sin
                }
            }
        }
    }
}
