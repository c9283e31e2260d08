import Compute
import Configuration
import Formats

/// What two checkpoints do not have in common.
public struct CheckpointDifference {
    /// A fact about the run, or an option, with both values.
    public struct Fact: Equatable, Sendable {
        /// As in state.json, or of the option.
        public let name: String
        /// Nil where only the other one has it.
        public let first: String?
        /// Nil where only the first one has it.
        public let second: String?
    }

    /// A tensor that both have, in the same shape, with other values.
    public struct Tensor: Equatable, Sendable {
        /// As in the safetensors file.
        public let name: String
        /// Of both.
        public let shape: [Int]
        /// Elements that are not equal.
        public let differing: Int
        /// The largest difference of two elements; not a number when one of them is none.
        public let largest: Double
        /// The norm of the difference, as a share of the norm of the first; infinite when that is zero.
        public let relative: Double
    }

    /// A tensor that one lacks, or that has another shape there.
    public struct Shape: Equatable, Sendable {
        /// As in the safetensors file.
        public let name: String
        /// Nil where only the second one has it.
        public let first: [Int]?
        /// Nil where only the first one has it.
        public let second: [Int]?
    }

    /// Facts and options in which they differ, but for those without effect on the numbers.
    public let facts: [Fact]
    /// Tensors that cannot be compared.
    public let shapes: [Shape]
    /// Tensors of which any bit differs.
    public let tensors: [Tensor]
    /// Tensors that both have in the same shape.
    public let comparedTensors: Int

    /// Whether nothing differs: parameters and moments have the same bits.
    public var isEmpty: Bool { facts.isEmpty && shapes.isEmpty && tensors.isEmpty }

    /// Compares states, parameters and moments.
    ///
    /// - Throws: `UserError` when a file cannot be read.
    public init(_ first: Checkpoint, _ second: Checkpoint) throws {
        facts = Self.facts(first.state, second.state)
        var shapes: [Shape] = []
        var tensors: [Tensor] = []
        var compared = 0
        for name in [Checkpoint.modelFile, Checkpoint.optimizerFile] {
            let files = try [first, second].map { try SafetensorsFile(path: $0.folder + "/" + name) }
            for tensor in Set(files[0].tensors.keys).union(files[1].tensors.keys).sorted(by: Self.inOrder) {
                let found = files.map { $0.tensors[tensor]?.shape }
                guard let shape = found[0], found[1] == shape else {
                    shapes.append(Shape(name: tensor, first: found[0], second: found[1]))
                    continue
                }
                compared += 1
                if let difference = try Self.compare(tensor, shape, files) { tensors.append(difference) }
            }
        }
        (self.shapes, self.tensors, comparedTensors) = (shapes, tensors, compared)
    }

    static func facts(_ first: CheckpointState, _ second: CheckpointState) -> [Fact] {
        // Two runs with the same bits may differ in these.
        let ignored = Set(ConfigurationKey.all.filter { [.connection, .nothing].contains($0.effect) }.map(\.name))
        let (one, other) = (first.facts, second.facts)
        var result: [Fact] = []
        for (name, value) in one
        where !ignored.contains(name) && other.first(where: { $0.name == name })?.value != value {
            result.append(Fact(name: name, first: value, second: other.first { $0.name == name }?.value))
        }
        for (name, value) in other where !ignored.contains(name) && !one.contains(where: { $0.name == name }) {
            result.append(Fact(name: name, first: nil, second: value))
        }
        return result
    }

    private static func compare(_ name: String, _ shape: [Int], _ files: [SafetensorsFile]) throws -> Tensor? {
        let count = shape.reduce(1, *)
        let one = FloatBuffer(count: count)
        let other = FloatBuffer(count: count)
        try files[0].floats(named: name, into: one.elements)
        try files[1].floats(named: name, into: other.elements)
        let (a, b) = (one.elements, other.elements)
        var differing = 0
        var largest = 0.0
        var squares = (difference: 0.0, first: 0.0)
        for index in a.indices {
            let value = Double(a[index])
            squares.first += value * value
            guard a[index].bitPattern != b[index].bitPattern else { continue }
            let difference = abs(value - Double(b[index]))
            differing += 1
            // Once it is no number it stays so, as no comparison with it holds.
            if difference.isNaN || difference > largest { largest = difference }
            squares.difference += difference * difference
        }
        guard differing > 0 else { return nil }
        let relative = (squares.difference / squares.first).squareRoot()
        return Tensor(name: name, shape: shape, differing: differing, largest: largest, relative: relative)
    }

    /// As a reader counts: layer 10 after layer 9.
    private static func inOrder(_ first: String, _ second: String) -> Bool {
        let (a, b) = (first.split(separator: "."), second.split(separator: "."))
        for (one, other) in zip(a, b) where one != other {
            if let one = Int(one), let other = Int(other) { return one < other }
            return one < other
        }
        return a.count < b.count
    }
}
