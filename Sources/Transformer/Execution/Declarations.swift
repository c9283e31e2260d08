import Compute

/// A parameter tensor's place in the flat buffers, which its layer uses.
struct Parameter {
    let range: Range<Int>
    /// The shape of a matrix or embedding; (1, n) for a vector.
    let rows, columns: Int

    /// Returns the tensor in a flat buffer that starts at `base`.
    func matrix(in base: UnsafeMutablePointer<Float>) -> MatrixView {
        MatrixView(base + range.lowerBound, rows: rows, columns: columns)
    }
}

/// A parameter matrix that activations are multiplied by, with the memory in which it is packed for both passes.
struct Weight {
    let parameter: Parameter
    /// The slots of the packed matrix and of its packed transpose.
    let plain, transposed: Slot

    func slot(_ orientation: Orientation) -> Slot { orientation == .plain ? plain : transposed }
}

/// Collects the declarations of a model's layers: parameters in the order of the flat buffers, and memory slots.
struct Declarations {
    private(set) var tensors: [ParameterLayout.Tensor] = []
    private(set) var slots: [Arena.Declaration] = []
    /// The number of floats of all parameters declared so far.
    var count: Int { tensors.last?.range.upperBound ?? 0 }
    private var layer: Int?

    /// Assigns the declarations in `body` to a block: parameter names then begin with `transformer.h.LAYER.`.
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

    /// Declares the weight (in, out) of a linear layer.
    mutating func weight(_ name: String, _ shape: [Int], _ initialization: Initialization) -> Weight {
        let parameter = parameter(name, shape, .matrix, initialization)
        // Unless packed weights are kept, both orientations share one piece of memory, so it must have room for either.
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

    /// Declares the memory for packing the weight (V, C) of the output head. The two orientations never share memory.
    ///
    /// - Parameters:
    ///   - parameter: the weight.
    ///   - isUsed: whether products read all of the weight at once.
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

    /// Declares memory for a matrix with one row per token and `columns` columns.
    mutating func slot(_ name: String, columns: Int, _ scope: Arena.Scope) -> Slot {
        add(name, scope, columns: columns) { columns * (scope == .tile ? $0.tileRows : $0.rows) }
    }

    /// Declares scratch memory for the attention of one head, once per worker.
    mutating func attentionScratch(_ head: AttentionHead) -> Slot {
        add("attn.scratch", .worker) {
            AttentionScratch.Shape(head, length: $0.length).count($0.products)
        }
    }

    /// Declares memory of the output head.
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
