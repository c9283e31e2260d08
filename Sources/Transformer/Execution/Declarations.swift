import Compute

/// A parameter tensor of the model, as its layer knows it: a place in the flat buffers.
struct Parameter {
    let range: Range<Int>
    /// (rows, columns) of a matrix or embedding; (1, n) of a vector.
    let rows, columns: Int

    /// The tensor in a flat buffer that begins at `base`.
    func matrix(in base: UnsafeMutablePointer<Float>) -> MatrixView {
        MatrixView(base + range.lowerBound, rows: rows, columns: columns)
    }
}

/// A matrix of parameters that activations are multiplied by. It owns the memory in which it is packed for both passes.
struct Weight {
    let parameter: Parameter
    /// Where it is packed as it is, and transposed.
    let plain, transposed: Slot

    func slot(_ orientation: Orientation) -> Slot { orientation == .plain ? plain : transposed }
}

/// Collects what the layers of a model declare while they are made: parameters in the order of the flat buffers, and the memory
/// slots in which they compute.
struct Declarations {
    private(set) var tensors: [ParameterLayout.Tensor] = []
    private(set) var slots: [Arena.Declaration] = []
    /// Floats that all parameters so far take.
    var count: Int { tensors.last?.range.upperBound ?? 0 }
    private var layer: Int?

    /// What `body` declares belongs to a block: its parameters' names begin with `transformer.h.LAYER.`
    mutating func block<Result>(_ layer: Int, _ body: (inout Declarations) -> Result) -> Result {
        self.layer = layer
        defer { self.layer = nil }
        return body(&self)
    }

    mutating func parameter(
        _ name: String,
        _ shape: [Int],
        _ role: ParameterRole,
        _ initialization: Initialization
    ) -> Parameter {
        let name = layer.map { "transformer.h.\($0).\(name)" } ?? name
        let spec = ParameterSpec(name: name, shape: shape, role: role, initialization: initialization)
        let range = count..<count + shape.reduce(1, *)
        tensors.append(ParameterLayout.Tensor(spec: spec, range: range))
        let columns = shape[shape.count - 1]
        return Parameter(range: range, rows: range.count / columns, columns: columns)
    }

    /// The weight (in, out) of a linear layer.
    mutating func weight(_ name: String, _ shape: [Int], _ initialization: Initialization) -> Weight {
        let parameter = parameter(name, shape, .matrix, initialization)
        // Both orientations share one piece of memory unless packed weights are kept, so it has room for either.
        func packed(_ orientation: String) -> Slot {
            add(name, .packed(orientation)) {
                max(
                    $0.products.packedCount(depth: parameter.rows, columns: parameter.columns),
                    $0.products.packedCount(depth: parameter.columns, columns: parameter.rows)
                )
            }
        }
        return Weight(parameter: parameter, plain: packed("plain"), transposed: packed("transposed"))
    }

    /// The weight (V, C) of the output head, whose two forms never share memory.
    ///
    /// - Parameter isUsed: whether products with all of it are computed.
    mutating func headWeight(_ parameter: Parameter, isUsed: Bool) -> Weight {
        let (V, C) = (parameter.rows, parameter.columns)
        return Weight(
            parameter: parameter,
            plain: head("packed") {
                isUsed && $0.keepsForBackward ? $0.products.packedCount(depth: V, columns: C) : 0
            },
            transposed: head("packed transposed") {
                isUsed ? $0.products.packedCount(depth: C, columns: V) : 0
            }
        )
    }

    /// Memory for a matrix of `columns` columns with a row for each token.
    mutating func slot(_ name: String, columns: Int, _ scope: Arena.Scope) -> Slot {
        add(name, scope, columns: columns) { columns * (scope == .tile ? $0.tileRows : $0.rows) }
    }

    /// Memory for the attention of one head, for each worker.
    mutating func attentionScratch(_ head: AttentionHead) -> Slot {
        add("attn.scratch", .worker) {
            AttentionScratch.Shape(head, length: $0.length).count($0.products)
        }
    }

    /// Memory of the output head.
    mutating func head(_ name: String, columns: Int = 1, count: @escaping (Arena.Shape) -> Int) -> Slot {
        add(name, .head, columns: columns, count: count)
    }

    private mutating func add(
        _ name: String,
        _ scope: Arena.Scope,
        columns: Int = 1,
        count: @escaping (Arena.Shape) -> Int
    ) -> Slot {
        slots.append(Arena.Declaration(name: name, layer: layer, scope: scope, count: count))
        return Slot(index: slots.count - 1, columns: columns, isTile: scope == .tile)
    }
}
