import Compute
import Transformer

/// What update rules keep of each parameter between updates: named slots over one parameter layout.
///
/// The state owns its memory, so whoever writes it to a file or sends it away holds on to the state.
public final class OptimizerState: Sendable {
    /// One float per parameter of some tensors, such as AdamW's mean of gradients.
    public final class Slot: Sendable {
        /// The name that checkpoints use, such as `exp_avg`.
        public let name: String
        /// The tensors that have this slot, in the order of the layout.
        public let tensors: [ParameterLayout.Tensor]
        /// In the order of the whole layout. Elements of other tensors are never touched; in large buffers they take no
        /// memory.
        public let values: FloatBuffer

        fileprivate init(name: String, tensors: [ParameterLayout.Tensor], count: Int) {
            self.name = name
            self.tensors = tensors
            values = FloatBuffer(count: count)
        }

        /// The elements of `tensors`, with adjacent tensors joined.
        var ranges: [Range<Int>] {
            tensors.reduce(into: []) { ranges, tensor in
                if ranges.last?.upperBound == tensor.range.lowerBound {
                    ranges[ranges.count - 1] = ranges[ranges.count - 1].lowerBound..<tensor.range.upperBound
                } else {
                    ranges.append(tensor.range)
                }
            }
        }
    }

    /// The layout that all slots follow.
    public let layout: ParameterLayout
    /// In the order in which checkpoints have them.
    public let slots: [Slot]

    /// Zeros.
    init(layout: ParameterLayout, slots: [(name: String, tensors: [ParameterLayout.Tensor])]) {
        self.layout = layout
        self.slots = slots.map { Slot(name: $0.name, tensors: $0.tensors, count: layout.count) }
    }

    /// Zeros, for a copy of another state.
    convenience init(shapedAs other: OptimizerState) {
        self.init(layout: other.layout, slots: other.slots.map { ($0.name, $0.tensors) })
    }

    /// The slot of a name; nil if no rule has it.
    public subscript(name: String) -> Slot? { slots.first { $0.name == name } }

    /// Copies all slots of a state of the same shape.
    func copy(from other: OptimizerState, pool: WorkerPool) {
        for (slot, source) in zip(slots, other.slots) {
            for range in slot.ranges {
                VectorOperations.copy(
                    UnsafeBufferPointer(rebasing: source.values.elements[range]),
                    to: UnsafeMutableBufferPointer(rebasing: slot.values.elements[range]),
                    pool: pool
                )
            }
        }
    }
}
