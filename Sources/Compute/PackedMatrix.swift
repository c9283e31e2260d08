import CVectorKernels

/// The right-hand factor op(b) of many products, (depth, columns), rearranged once into the order in which they read it.
///
/// ```swift
/// let packed = PackedMatrix(weight, .transposed, in: memory, for: products)   // memory: packed.count floats
/// for piece in packed.pieces { packed.pack(piece) }              // by any workers, before the first product
/// products.multiply(x, packed, into: y)
/// ```
/// Where BLAS computes the products nothing is packed, and the matrix itself is multiplied.
public struct PackedMatrix {
    /// What an element of the packed factor is.
    public enum Element: Sendable {
        case float32

        /// Bytes of an element.
        public var size: Int {
            switch self {
            case .float32: MemoryLayout<Float>.size
            }
        }
    }

    /// What its elements are: the precision of the products that it is for.
    public var element: Element { products.precision }

    /// Whether op(b) is the source or its transpose.
    public let orientation: Orientation
    let source: MatrixView
    let memory: UnsafeMutablePointer<Float>
    private let products: MatrixProducts

    /// Copies nothing: `pack` does. Where BLAS computes, every product reads `source`.
    ///
    /// - Parameters:
    ///   - memory: as many floats as `MatrixProducts.packedCount` says for this shape.
    ///   - products: those that will read it.
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

    /// Rows of op(b): what each product sums over.
    public var depth: Int { orientation == .plain ? source.rows : source.columns }
    /// Columns of op(b), those of the products.
    public var columns: Int { orientation == .plain ? source.columns : source.rows }

    /// Whether products read the packed memory; otherwise they read the source.
    var isPacked: Bool { products.implementation == .own }

    private var panelColumns: Int { products.kernels.table.panel_columns }

    /// Panels of one piece of work, about 64 Ki floats.
    public var pieces: [Range<Int>] {
        guard isPacked else { return [] }
        let panels = (columns + panelColumns - 1) / panelColumns
        let size = max(1, 65536 / (depth * panelColumns))
        return stride(from: 0, to: panels, by: size).map { $0..<min($0 + size, panels) }
    }

    /// Copies these panels of op(b) into the memory: each (depth, panel columns of the kernels).
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

    /// Packs all of it on the calling thread.
    public func pack() {
        for piece in pieces { pack(piece) }
    }

    /// The part of the source that is a factor of this depth with so many columns.
    func used(depth: Int, columns: Int) -> MatrixView {
        orientation == .plain
            ? source.rows(0..<depth).columns(0..<columns) : source.rows(0..<columns).columns(0..<depth)
    }
}

extension MatrixProducts {
    /// Memory for a packed factor of this shape, in floats; 0 where BLAS computes.
    public func packedCount(depth: Int, columns: Int) -> Int {
        guard implementation == .own else { return 0 }
        let panel = kernels.table.panel_columns
        let bytes = precision.size * depth * ((columns + panel - 1) / panel * panel)
        return (bytes + MemoryLayout<Float>.size - 1) / MemoryLayout<Float>.size
    }
}
