import Compute
import Transformer

/// The numbers of a checkpoint: a model's parameters and its optimizer's state, in the order of one layout.
///
/// The value retains what it reads from: the model that training works on, or a copy of one moment.
struct CheckpointValues {
    private enum Source {
        case model(GPT)
        case copy(CheckpointCopy)
    }

    let layout: ParameterLayout
    let optimizer: OptimizerState
    private let source: Source

    /// Those that training works on.
    init(_ model: GPT, _ optimizer: OptimizerState) {
        layout = model.layout
        self.optimizer = optimizer
        source = .model(model)
    }

    /// Those of the moment that a copy was taken at.
    init(_ copy: CheckpointCopy) {
        layout = copy.optimizer.layout
        optimizer = copy.optimizer
        source = .copy(copy)
    }

    /// Calls `body` with all parameters, valid during the call.
    func withParameters<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(source) {
            switch source {
            case .model(let model): try body(UnsafeBufferPointer(model.parameters.elements))
            case .copy(let copy): try body(UnsafeBufferPointer(copy.parameters.elements))
            }
        }
    }
}

/// Memory for the numbers of one moment, which training does not touch while they are written.
final class CheckpointCopy: Sendable {
    fileprivate let parameters: FloatBuffer
    fileprivate let optimizer: OptimizerState

    /// - Parameter state: one of the shape that will be copied.
    init(for state: OptimizerState) {
        parameters = FloatBuffer(count: state.layout.count)
        optimizer = OptimizerState(shapedAs: state)
    }

    /// Writes to every page, so that the first copy takes no longer than the others.
    func touch() {
        Self.touch(parameters.elements[...])
        for slot in optimizer.slots {
            for range in slot.ranges { Self.touch(slot.values.elements[range]) }
        }
    }

    private static func touch(_ values: Slice<UnsafeMutableBufferPointer<Float>>) {
        for index in stride(from: values.startIndex, to: values.endIndex, by: 1024) { values.base[index] = 0 }
    }

    func take(_ values: CheckpointValues, pool: WorkerPool) {
        values.withParameters { VectorOperations.copy($0, to: parameters.elements, pool: pool) }
        optimizer.copy(from: values.optimizer, pool: pool)
    }
}
