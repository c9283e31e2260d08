import Compute

/// A named piece of an arena, which the layer that declared it uses.
struct Slot {
    let index: Int
    let columns: Int
    /// Whether the slot holds the rows of one tile and exists once per worker.
    let isTile: Bool
}

/// The memory in which the model processes a chunk of sequences: one buffer that is divided into the slots that layers
/// declare.
///
/// Slots that are not needed at the same time share memory: if the scope allows it, slots of the same name in different
/// layers do.
final class Arena {
    /// How long the contents of a slot are needed, and which layers or workers share it.
    enum Scope: Equatable {
        /// Needed until the backward pass of the layer. Each layer has its own slot; without a backward pass all layers
        /// share one.
        case layer
        /// Needed during the backward pass of a layer. All layers share one slot.
        case backward
        /// Needed during the backward pass of a layer and of the layer below. Layers alternate between two slots.
        case alternating
        /// Holds one tile of rows. Each worker has its own slot.
        case tile
        /// Scratch memory of one task. Each worker has its own slot.
        case worker
        /// Holds a weight packed in one orientation, either for a whole micro-batch or shared by all layers.
        case packed(String)
        /// Memory of the output head.
        case head
    }

    /// The purpose of a chunk, which determines the slots that exist.
    enum Purpose {
        /// A backward pass follows.
        case training
        /// The activations of every layer are kept for inspection.
        case inspection
        /// Only the loss is needed.
        case evaluation
        /// New tokens in text generation, whose keys and values are cached elsewhere.
        case generation
    }

    /// The sizes that determine how much memory the arena takes.
    struct Shape {
        /// The number of tokens in a chunk, a whole number of sequences.
        let rows: Int
        /// The number of tokens in a sequence.
        let length: Int
        let workers: Int
        /// The number of rows of the largest tile.
        let tileRows: Int
        let purpose: Purpose
        /// Whether each layer has its own memory for packed weights, where they stay for a whole micro-batch.
        let keepsPacked: Bool
        let products: MatrixProducts

        var keepsLayers: Bool { purpose == .training || purpose == .inspection }
        var keepsForBackward: Bool { purpose == .training }

        /// Whether an arena of this shape can be used for passes of the other shape.
        func fits(_ other: Shape) -> Bool {
            rows >= other.rows && length >= other.length && (purpose == other.purpose || purpose == .training)
                && (keepsPacked || !other.keepsPacked)
        }
    }

    struct Declaration {
        let name: String
        let layer: Int?
        let scope: Scope
        let count: (Shape) -> Int
    }

    let shape: Shape
    let memory: FloatBuffer
    private let plan: Plan

    init(_ declarations: [Declaration], _ shape: Shape) {
        plan = Plan(declarations, shape)
        memory = FloatBuffer(count: plan.count)
        self.shape = shape
    }

    /// Returns the number of floats that an arena of this shape takes, and how many of them belong to the output head.
    static func count(_ declarations: [Declaration], _ shape: Shape) -> (all: Int, head: Int) {
        let plan = Plan(declarations, shape)
        return (plan.count, plan.headCount)
    }

    /// Returns the memory of a slot; for a slot that exists once per worker, that of this worker.
    func base(_ slot: Slot, worker: Int = 0) -> UnsafeMutablePointer<Float> {
        let place = plan.places[slot.index]
        return memory.base + place.offset + worker * place.workerStride
    }

    /// Returns rows of a slot. A tile slot holds only its tile's rows, except in generation, where one tile holds all
    /// rows.
    func matrix(_ slot: Slot, _ rows: Range<Int>, worker: Int = 0) -> MatrixView {
        let first = slot.isTile && shape.purpose != .generation ? 0 : rows.lowerBound
        return MatrixView(base(slot, worker: worker) + first * slot.columns, rows: rows.count, columns: slot.columns)
    }

    /// The position of each slot, by its index.
    private struct Plan {
        struct Place {
            var offset = 0
            var size = 0
            /// The distance between the slots of consecutive workers, in floats.
            var workerStride = 0
        }

        private(set) var places: [Place] = []
        private(set) var count = 0
        private(set) var headCount = 0

        init(_ declarations: [Declaration], _ shape: Shape) {
            var shared: [String: Place] = [:]
            for declaration in declarations {
                let key = Self.key(declaration, shape)
                let size = key == nil ? 0 : (declaration.count(shape) + 15) / 16 * 16
                if let key, let place = shared[key] {
                    precondition(size <= place.size, "slot \(declaration.name) shares memory that is too small for it")
                    places.append(place)
                    continue
                }
                let isEachWorkers = declaration.scope == .tile || declaration.scope == .worker
                let place = Place(offset: count, size: size, workerStride: isEachWorkers ? size : 0)
                count += size * (isEachWorkers ? shape.workers : 1)
                if declaration.scope == .head { headCount += size }
                if let key { shared[key] = place }
                places.append(place)
            }
        }

        /// Slots with the same key share memory. Nil for a slot that this shape does not need.
        private static func key(_ declaration: Declaration, _ shape: Shape) -> String? {
            let (name, layer) = (declaration.name, declaration.layer.map { "\($0)" } ?? "all")
            switch declaration.scope {
            case .layer: return shape.keepsLayers ? "\(layer) \(name)" : "layer \(name)"
            case .backward: return shape.keepsForBackward ? "backward \(name)" : nil
            case .alternating:
                return shape.keepsForBackward ? "alternating \((declaration.layer ?? 0) % 2) \(name)" : nil
            case .tile: return "tile \(name)"
            case .worker: return shape.purpose == .generation ? nil : "worker \(name)"
            case .head: return shape.purpose == .generation ? nil : "head \(name)"
            case .packed(let orientation):
                guard shape.purpose != .generation else { return nil }
                guard shape.keepsPacked else { return "packed \(name)" }
                return orientation == "plain" || shape.keepsForBackward ? "\(layer) \(orientation) \(name)" : nil
            }
        }
    }
}
