import Compute

/// A named piece of an arena, as the layer that declared it knows it.
struct Slot {
    let index: Int
    let columns: Int
    /// Whether it has rows for one tile and exists once for each worker.
    let isTile: Bool
}

/// The memory in which a chunk of sequences passes through the model: one buffer, cut into the slots that layers declare.
///
/// Slots that are not needed at the same time share memory: those of the same name and scope that layers declare, if the scope
/// says so.
final class Arena {
    /// How long the contents of a slot are needed, and which layers or workers share it.
    enum Scope: Equatable {
        /// Until the backward pass of its layer: each layer has its own. Without a backward pass all layers share it.
        case layer
        /// During the backward pass of a layer: all layers share it.
        case backward
        /// The same, but also during the backward pass of the layer below: two that layers take in turn.
        case alternating
        /// For one tile of rows: each worker has its own.
        case tile
        /// For one task: each worker has its own.
        case worker
        /// A weight packed in one orientation, kept for a whole micro-batch or shared by all layers.
        case packed(String)
        /// For the output head.
        case head
    }

    /// What a chunk is for. It decides which slots exist.
    enum Purpose {
        /// A backward pass follows.
        case training
        /// Activations of every layer are kept for inspection.
        case inspection
        /// Only the loss is wanted.
        case evaluation
        /// New tokens of a generation, whose keys and values are cached elsewhere.
        case generation
    }

    /// The sizes that decide how much memory the arena takes.
    struct Shape {
        /// Tokens of a chunk, a whole number of sequences.
        let rows: Int
        /// Tokens of a sequence.
        let length: Int
        let workers: Int
        /// Rows of the largest tile.
        let tileRows: Int
        let purpose: Purpose
        /// Whether each layer has memory for its packed weights, in which they stay for a whole micro-batch.
        let keepsPacked: Bool
        let products: MatrixProducts

        var keepsLayers: Bool { purpose == .training || purpose == .inspection }
        var keepsForBackward: Bool { purpose == .training }

        /// Whether an arena of this shape serves for passes of the other one too.
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

    /// Floats that an arena of this shape takes; `head` is the part of them for the output head.
    static func count(_ declarations: [Declaration], _ shape: Shape) -> (all: Int, head: Int) {
        let plan = Plan(declarations, shape)
        return (plan.count, plan.headCount)
    }

    /// The memory of a slot; of one that exists for each worker, that of this one.
    func base(_ slot: Slot, worker: Int = 0) -> UnsafeMutablePointer<Float> {
        let place = plan.places[slot.index]
        return memory.base + place.offset + worker * place.workerStride
    }

    /// Rows of a slot. Those of a tile begin with its first row, but in generation there is one tile of all rows.
    func matrix(_ slot: Slot, _ rows: Range<Int>, worker: Int = 0) -> MatrixView {
        let first = slot.isTile && shape.purpose != .generation ? 0 : rows.lowerBound
        return MatrixView(base(slot, worker: worker) + first * slot.columns, rows: rows.count, columns: slot.columns)
    }

    /// Where each slot lies, by its index.
    private struct Plan {
        struct Place {
            var offset = 0
            var size = 0
            /// From one worker's to the next one's.
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

        /// Slots of the same key share memory; nil for a slot that this shape does not need.
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
