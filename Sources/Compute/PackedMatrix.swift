import CVectorKernels

/// The right-hand factor op(b), (depth, columns), of many products, packed once into the order in which the products
/// read it.
///
/// ```swift
/// let packed = PackedMatrix(weight, .transposed, in: memory, for: products)   // memory: products.packedCount floats
/// for piece in packed.pieces { packed.pack(piece) }              // by any workers, before the first product
/// products.multiply(x, packed, into: y)
/// ```
/// If BLAS computes the products, nothing is packed and the products read the matrix itself.
public struct PackedMatrix {
    /// The element type of the packed factor.
    public enum Element: Sendable {
        case float32

        /// The size of an element in bytes.
        public var size: Int {
            switch self {
            case .float32: MemoryLayout<Float>.size
            }
        }
    }

    /// The element type, which is the precision of the products that read this factor.
    public var element: Element { products.precision }

    /// Whether op(b) is the source or its transpose.
    public let orientation: Orientation
    let source: MatrixView
    let memory: UnsafeMutablePointer<Float>
    private let products: MatrixProducts

    /// Prepares a packed factor without copying elements; `pack` copies them. With BLAS, every product reads `source`.
    ///
    /// - Parameters:
    ///   - source: the matrix b, which must stay valid while products use this factor.
    ///   - orientation: whether op(b) is b or its transpose.
    ///   - memory: at least `MatrixProducts.packedCount` floats for this shape.
    ///   - products: the products that will read this factor.
    public init(
        _ source: MatrixView,
        _ orientation: Orientation,
        in memory: UnsafeMutablePointer<Float>,
        for products: MatrixProducts
    ) {
        self.source = source
        self.orientation = orientation
        self.memory = memory
        self.products = products
    }

    /// The number of rows of op(b), which each product sums over.
    public var depth: Int { orientation == .plain ? source.rows : source.columns }
    /// The number of columns of op(b).
    public var columns: Int { orientation == .plain ? source.columns : source.rows }

    /// Whether products read the packed memory; if false, they read the source.
    var isPacked: Bool { products.implementation == .own }

    private var panelColumns: Int { products.kernels.table.panel_columns }

    /// The panels of each piece of packing work; a piece has about 64 Ki floats.
    public var pieces: [Range<Int>] {
        guard isPacked else { return [] }
        let panels = (columns + panelColumns - 1) / panelColumns
        let size = max(1, 65536 / (depth * panelColumns))
        return stride(from: 0, to: panels, by: size).map { $0..<min($0 + size, panels) }
    }

    /// Packs these panels of op(b); each panel is (depth, panel columns of the kernels).
    public func pack(_ panels: Range<Int>) {
        Profile.measure(.packing) {
            products.kernels.table.pack_panels(
                memory,
                source.base,
                source.stride,
                orientation == .transposed,
                depth,
                columns,
                panels.lowerBound,
                panels.upperBound
            )
        }
    }

    /// Packs all panels on the calling thread.
    public func pack() {
        for piece in pieces { pack(piece) }
    }

    /// Returns the part of the source that is op(b)'s first `depth` rows and first `columns` columns.
    func used(depth: Int, columns: Int) -> MatrixView {
        orientation == .plain
            ? source.rows(0..<depth).columns(0..<columns) : source.rows(0..<columns).columns(0..<depth)
    }
}

extension MatrixProducts {
    /// Returns the number of floats that a packed factor of this shape needs; 0 if BLAS computes.
    public func packedCount(depth: Int, columns: Int) -> Int {
        guard implementation == .own else { return 0 }
        let panel = kernels.table.panel_columns
        let bytes = precision.size * depth * ((columns + panel - 1) / panel * panel)
        return (bytes + MemoryLayout<Float>.size - 1) / MemoryLayout<Float>.size
    }
}
