import Platform

// The layers of a GPT. Each layer's backward pass follows its forward pass. ReferenceGPT.swift connects the layers.
//
// Every tensor is a flat array of Doubles in row-major order: element (i, j) of an (N, M) tensor is `x[i * M + j]`.
// Comments give shapes with these letters: B sequences, T tokens per sequence, C features per token, H heads, each with
// Q = C / H features, and V tokens in the vocabulary. Most layers process each token separately. For them, x has one row
// per token: R = B * T rows.
//
// Training needs the derivative of one number, the loss, with respect to every parameter. The chain rule computes these
// derivatives from the last layer to the first. Write `dy` for the derivative of the loss with respect to a layer's
// output y. The backward pass of a layer takes dy. It returns the derivatives with respect to the layer's input (dx,
// which is the dy of the layer before it) and to the layer's parameters (for the optimizer). This is all of
// backpropagation.

/// The parameters of a layer: a weight and, if the model has biases, a bias. Also used for their derivatives.
package typealias Affine = (weight: [Double], bias: [Double]?)

/// The activation function of an MLP.
package enum ReferenceActivation: String, CaseIterable, Sendable {
    case gelu, gelu_tanh, relu

    /// The function's value at u.
    package func value(_ u: Double) -> Double {
        switch self {
        case .gelu: 0.5 * u * (1 + erf(u * 0.5.squareRoot()))  // u * P(Z <= u) for a standard normal Z
        case .gelu_tanh: 0.5 * u * (1 + tanh((2 / Double.pi).squareRoot() * (u + 0.044715 * u * u * u)))
        case .relu: u > 0 ? u : 0
        }
    }

    /// The function's derivative at u.
    package func slope(_ u: Double) -> Double {
        switch self {
        case .gelu:
            return 0.5 * (1 + erf(u * 0.5.squareRoot())) + u * exp(-0.5 * u * u) / (2 * Double.pi).squareRoot()
        case .gelu_tanh:
            let scale = (2 / Double.pi).squareRoot()
            let bend = tanh(scale * (u + 0.044715 * u * u * u))
            return 0.5 * (1 + bend) + 0.5 * u * (1 - bend * bend) * scale * (1 + 3 * 0.044715 * u * u)
        case .relu: return u > 0 ? 1 : 0
        }
    }
}

/// The layers, as functions on flat arrays.
package enum ReferenceLayers {
    /// Embedding: turns token ids into vectors. A token's vector is the sum of two learned vectors, one for the token
    /// and one for its position in the sequence.
    ///
    /// `x[b, t] = wte[token[b, t]] + wpe[t]`; tokens (B, T), wte (V, C), wpe (block size, C) → (B, T, C)
    package static func embedding(tokens: [Int], wte: [Double], wpe: [Double], T: Int, C: Int) -> [Double] {
        var x = [Double](repeating: 0, count: tokens.count * C)
        for (row, token) in tokens.enumerated() {
            for c in 0..<C { x[row * C + c] = wte[token * C + c] + wpe[(row % T) * C + c] }
        }
        return x
    }

    /// The derivative of a vector that is used in several places is the sum of their derivatives.
    package static func embeddingBackward(dx: [Double], tokens: [Int], T: Int, C: Int, V: Int, blockSize: Int)
        -> (dwte: [Double], dwpe: [Double])
    {
        var (dwte, dwpe) = ([Double](repeating: 0, count: V * C), [Double](repeating: 0, count: blockSize * C))
        for (row, token) in tokens.enumerated() {
            for c in 0..<C {
                dwte[token * C + c] += dx[row * C + c]
                dwpe[(row % T) * C + c] += dx[row * C + c]
            }
        }
        return (dwte, dwpe)
    }

    private static func zeros(like p: Affine) -> Affine { (p.weight.map { _ in 0 }, p.bias?.map { _ in 0 }) }

    /// LayerNorm: keeps the features of every token at a stable scale. It shifts and scales each row to mean 0 and
    /// variance 1, then applies a learned scale and shift to each feature.
    ///
    /// `x̂ = (x - mean(x)) / sqrt(var(x) + 1e-5)`, `y = x̂ * weight + bias`; x (R, C), weight and bias (C) → (R, C)
    package static func layerNorm(_ x: [Double], _ p: Affine) -> [Double] {
        let C = p.weight.count
        var y = x
        for row in 0..<x.count / C {
            let (normalized, _) = normalize(x[row * C..<(row + 1) * C])
            for c in 0..<C { y[row * C + c] = normalized[c] * p.weight[c] + (p.bias?[c] ?? 0) }
        }
        return y
    }

    /// With `dx̂ = dy * weight`: `dx = (dx̂ - mean(dx̂) - x̂ * mean(dx̂ * x̂)) / sqrt(var(x) + 1e-5)`. The two means
    /// appear because every feature affects the row's mean and variance, which affect every feature.
    package static func layerNormBackward(dy: [Double], x: [Double], _ p: Affine) -> (dx: [Double], dp: Affine) {
        let C = p.weight.count
        var (dx, dp) = (x, zeros(like: p))
        for row in 0..<x.count / C {
            let (normalized, inverseDeviation) = normalize(x[row * C..<(row + 1) * C])
            let dNormalized = (0..<C).map { dy[row * C + $0] * p.weight[$0] }
            let mean = dNormalized.reduce(0, +) / Double(C)
            let meanOfProduct = zip(dNormalized, normalized).reduce(0) { $0 + $1.0 * $1.1 } / Double(C)
            for c in 0..<C {
                dx[row * C + c] = (dNormalized[c] - mean - normalized[c] * meanOfProduct) * inverseDeviation
                dp.weight[c] += dy[row * C + c] * normalized[c]
                dp.bias?[c] += dy[row * C + c]
            }
        }
        return (dx, dp)
    }

    private static func normalize(_ row: ArraySlice<Double>) -> (normalized: [Double], inverseDeviation: Double) {
        let mean = row.reduce(0, +) / Double(row.count)
        let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
        let inverseDeviation = 1 / (variance + 1e-5).squareRoot()
        return (row.map { ($0 - mean) * inverseDeviation }, inverseDeviation)
    }

    /// Linear: every output feature is a weighted sum of all input features.
    ///
    /// `y = x W + b`; x (R, I), W (I, O), b (O) → (R, O)
    package static func linear(_ x: [Double], _ p: Affine, I: Int) -> [Double] {
        let O = p.weight.count / I
        var y = (0..<x.count / I * O).map { p.bias?[$0 % O] ?? 0 }
        for row in 0..<x.count / I {
            for i in 0..<I {
                for o in 0..<O { y[row * O + o] += x[row * I + i] * p.weight[i * O + o] }
            }
        }
        return y
    }

    /// `dx = dy Wᵀ`, `dW = xᵀ dy`, `db = ` sum of dy over the rows.
    package static func linearBackward(dy: [Double], x: [Double], _ p: Affine, I: Int) -> (dx: [Double], dp: Affine) {
        let O = p.weight.count / I
        var (dx, dp) = ([Double](repeating: 0, count: x.count), zeros(like: p))
        for row in 0..<x.count / I {
            for i in 0..<I {
                for o in 0..<O {
                    dx[row * I + i] += dy[row * O + o] * p.weight[i * O + o]
                    dp.weight[i * O + o] += x[row * I + i] * dy[row * O + o]
                }
            }
            for o in 0..<O { dp.bias?[o] += dy[row * O + o] }
        }
        return (dx, dp)
    }

    /// Causal self-attention: combines tokens. Each token's query q is compared with the keys k of itself and of every
    /// earlier token, but not of later ones. The token receives the average of their values v, weighted by how well the
    /// keys match. H heads do this in parallel, each with its own Q = C / H features.
    ///
    /// For each head: `weights[t, s] = softmax over s <= t of (q[t] · k[s] / sqrt(Q))`, `y[t] = Σ_s weights[t, s] * v[s]`;
    /// qkv (B, T, 3C): queries, keys, values side by side → y (B, T, C), weights (B, H, T, T), zero where s > t
    package static func attention(_ qkv: [Double], T: Int, H: Int, C: Int) -> (y: [Double], weights: [Double]) {
        let (B, Q) = (qkv.count / (T * 3 * C), C / H)
        var y = [Double](repeating: 0, count: B * T * C)
        var weights = [Double](repeating: 0, count: B * H * T * T)
        for (b, h, t) in everyQuery(B, H, T) {
            // The indices of this head's q[t], y[t] and weights[t, 0]; k and v lie C and 2C after q.
            let (query, out, row) = ((b * T + t) * 3 * C + h * Q, (b * T + t) * C + h * Q, ((b * H + h) * T + t) * T)
            var scores = [Double](repeating: 0, count: t + 1)
            for s in 0...t {
                let key = (b * T + s) * 3 * C + C + h * Q
                for c in 0..<Q { scores[s] += qkv[query + c] * qkv[key + c] / Double(Q).squareRoot() }
            }
            for (s, probability) in softmax(scores).enumerated() {
                let value = (b * T + s) * 3 * C + 2 * C + h * Q
                weights[row + s] = probability
                for c in 0..<Q { y[out + c] += probability * qkv[value + c] }
            }
        }
        return (y, weights)
    }

    /// With `dw[t, s] = dy[t] · v[s]` and, through the softmax, `dscore[t, s] = w[t, s] * (dw[t, s] - Σ_u w[t, u] dw[t, u])`:
    /// `dv[s] = Σ_t w[t, s] dy[t]`, `dq[t] = Σ_s dscore[t, s] k[s] / sqrt(Q)`, `dk[s] = Σ_t dscore[t, s] q[t] / sqrt(Q)`.
    package static func attentionBackward(dy: [Double], qkv: [Double], weights: [Double], T: Int, H: Int, C: Int)
        -> [Double]
    {
        let Q = C / H
        var dqkv = [Double](repeating: 0, count: qkv.count)
        for (b, h, t) in everyQuery(dy.count / (T * C), H, T) {
            let (query, out, row) = ((b * T + t) * 3 * C + h * Q, (b * T + t) * C + h * Q, ((b * H + h) * T + t) * T)
            var dWeights = [Double](repeating: 0, count: t + 1)
            for s in 0...t {
                let value = (b * T + s) * 3 * C + 2 * C + h * Q
                for c in 0..<Q {
                    dWeights[s] += dy[out + c] * qkv[value + c]
                    dqkv[value + c] += weights[row + s] * dy[out + c]
                }
            }
            let average = (0...t).reduce(0) { $0 + weights[row + $1] * dWeights[$1] }
            for s in 0...t {
                let key = (b * T + s) * 3 * C + C + h * Q
                let dScore = weights[row + s] * (dWeights[s] - average) / Double(Q).squareRoot()
                for c in 0..<Q {
                    dqkv[query + c] += dScore * qkv[key + c]
                    dqkv[key + c] += dScore * qkv[query + c]
                }
            }
        }
        return dqkv
    }

    /// Returns every combination of sequence b, head h and position t.
    private static func everyQuery(_ B: Int, _ H: Int, _ T: Int) -> [(b: Int, h: Int, t: Int)] {
        (0..<B * H * T).map { ($0 / (H * T), $0 / T % H, $0 % T) }
    }

    /// Softmax: turns numbers into probabilities, `exp(score)` divided by the sum of all. Subtracting the largest score
    /// first does not change the result and prevents overflow in exp.
    package static func softmax(_ scores: [Double]) -> [Double] {
        let largest = scores.max() ?? 0
        let exponentials = scores.map { exp($0 - largest) }
        let sum = exponentials.reduce(0, +)
        return exponentials.map { $0 / sum }
    }

    /// Cross-entropy, the loss: measures how unexpected the next tokens are for the model. With p the softmax of a
    /// row's logits, the loss is the mean over the rows of `-log p[target]`, in nats; logits (R, V), targets (R).
    ///
    /// The derivative is simple: `dlogits = (p - [1 at the target, else 0]) / R`.
    package static func crossEntropy(logits: [Double], targets: [Int]) -> (loss: Double, dlogits: [Double]) {
        let (R, V) = (targets.count, logits.count / targets.count)
        var (loss, dlogits) = (0.0, logits)
        for (row, target) in targets.enumerated() {
            let probabilities = softmax(Array(logits[row * V..<(row + 1) * V]))
            loss -= log(probabilities[target]) / Double(R)
            for v in 0..<V { dlogits[row * V + v] = (probabilities[v] - (v == target ? 1 : 0)) / Double(R) }
        }
        return (loss, dlogits)
    }
}
