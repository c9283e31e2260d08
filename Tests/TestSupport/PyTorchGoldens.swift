import Formats
import Foundation

/// What PyTorch computed: the files of Tests/Fixtures/pytorch, made by make_goldens.py there.
public enum PyTorchGoldens {
    /// The folder, which is also where the data set `dataset` lies.
    public static let folder = Fixtures.path("pytorch")

    /// Loss and gradients of one batch, for each kind of model.
    public static let kinds = [
        "gelu", "gelu_bias", "gelu_tanh", "gelu_tanh_bias", "relu", "relu_bias", "odd_gelu_bias",
    ]

    /// Twenty steps of training, for two kinds.
    public static let trainingKinds = ["gelu", "gelu_tanh_bias"]

    /// A model's shape, under nanoGPT's names.
    public struct Configuration: Decodable, Sendable {
        public let n_layer, n_head, n_embd, block_size, vocab_size: Int
        /// Whether linear layers and LayerNorms have one.
        public let bias: Bool
        /// `gelu`, `gelu_tanh` or `relu`.
        public let activation: String
    }

    /// One batch with its loss.
    public struct Batch: Decodable, Sendable {
        /// Of the model that computed it.
        public let configuration: Configuration
        /// T of the batch.
        public let sequence_length: Int
        /// (B, T); targets are the tokens that follow.
        public let tokens, targets: [Int]
        /// Mean over all tokens, in nats.
        public let loss: Double

        /// - Parameter kind: one of `kinds`.
        /// - Throws: when its file is missing or not as expected.
        public init(_ kind: String) throws { self = try PyTorchGoldens.decode(kind) }
    }

    /// A training run of a few steps.
    public struct Training: Decodable, Sendable {
        /// Under nanoGPT's names.
        public struct Options: Decodable, Sendable {
            public let max_iters, batch_size, block_size, gradient_accumulation_steps: Int
            public let warmup_iters, lr_decay_iters: Int
            public let learning_rate, min_lr, weight_decay, beta1, beta2, grad_clip: Double
        }

        /// Of the model that was trained.
        public let configuration: Configuration
        /// What it was trained with.
        public let options: Options
        /// Of each step: the mean loss over its micro-batches, and the gradient's norm before clipping.
        public let losses, gradient_norms: [Double]

        /// - Parameter kind: one of `trainingKinds`.
        /// - Throws: when its file is missing or not as expected.
        public init(_ kind: String) throws { self = try PyTorchGoldens.decode("training_\(kind)") }

        /// nanoGPT's schedule: warm-up from above zero, then half a cosine.
        public func learningRate(_ step: Int) -> Double {
            if step < options.warmup_iters {
                return options.learning_rate * Double(step + 1) / Double(options.warmup_iters + 1)
            }
            let progress = Double(step - options.warmup_iters) / Double(options.lr_decay_iters - options.warmup_iters)
            let share = 0.5 * (1 + cos(Double.pi * progress))
            return options.min_lr + share * (options.learning_rate - options.min_lr)
        }
    }

    /// The tensors of a safetensors file of the folder, by name.
    public static func tensors(_ name: String) throws -> [String: [Float]] {
        let file = try SafetensorsFile(path: "\(folder)/\(name).safetensors")
        var tensors: [String: [Float]] = [:]
        for (name, entry) in file.tensors {
            var values = [Float](repeating: 0, count: entry.elementCount)
            try values.withUnsafeMutableBufferPointer { try file.floats(named: name, into: $0) }
            tensors[name] = values
        }
        return tensors
    }

    /// The parameters that a golden was computed with (some that its kind does not have among them).
    public static func parameters(_ kind: String) throws -> [String: [Float]] {
        try tensors(kind.hasPrefix("odd_") ? "odd_parameters" : "parameters")
    }

    /// The training tokens of the data set.
    public static func trainingTokens() throws -> [Int32] {
        let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/dataset/train.bin"))
        return stride(from: 0, to: bytes.count, by: 2).map { Int32(bytes[$0]) | Int32(bytes[$0 + 1]) << 8 }
    }

    private static func decode<T: Decodable>(_ name: String) throws -> T {
        try JSONDecoder().decode(T.self, from: Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name).json")))
    }
}

/// `‖a - b‖ / ‖b‖`: how far `a` is from what it should be.
public func relativeError(_ a: [Double], _ b: [Double]) -> Double {
    precondition(a.count == b.count, "\(a.count) and \(b.count) numbers cannot be compared")
    let difference = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return (difference / b.reduce(0) { $0 + $1 * $1 }).squareRoot()
}
