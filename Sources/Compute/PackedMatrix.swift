import CVectorKernels

/// The right-hand factor op(b) of many products, (depth, columns), rearranged once into the order in which they read it.
///
/// ```
/// let packed = PackedMatrix(weight, .transposed, in: memory)      // memory: at least packed.count floats
/// for piece in packed.pieces { packed.pack(piece) }                // by any workers, before the first product
/// MatrixProduct.multiply(x, packed, into: y)
/// ```
/// Where BLAS computes the products nothing is packed, and the matrix itself is multiplied.
public struct PackedMatrix {
    /// Whether op(b) is the source or its transpose.
    public let orientation: Orientation
    let source: MatrixView
    let memory: UnsafeMutablePointer<Float>

    /// Copies nothing: `pack` does. Where BLAS computes, every product reads `source`.
    public init(_ source: MatrixView, _ orientation: Orientation, in memory: UnsafeMutablePointer<Float>) {
        self.source = source
        self.orientation = orientation
        self.memory = memory
    }

    /// Rows of op(b): what each product sums over.
    public var depth: Int { orientation == .plain ? source.rows : source.columns }
    /// Columns of op(b), those of the products.
    public var columns: Int { orientation == .plain ? source.columns : source.rows }

    /// Floats of memory for a factor of this shape.
    public static func count(depth: Int, columns: Int) -> Int {
        guard MatrixProduct.implementation == .own else { return 0 }
        let panel = Kernels.table.panel_columns
        return depth * ((columns + panel - 1) / panel * panel)
    }

    /// Panels of one piece of work, about 64 Ki floats.
    public var pieces: [Range<Int>] {
        guard MatrixProduct.implementation == .own else { return [] }
        let panel = Kernels.table.panel_columns
        let panels = (columns + panel - 1) / panel
        let size = max(1, 65536 / (depth * panel))
        return stride(from: 0, to: panels, by: size).map { $0..<min($0 + size, panels) }
    }

    /// Copies these panels of op(b) into the memory: each (depth, `Kernels.table.panel_columns`).
    public func pack(_ panels: Range<Int>) {
        Profile.measure(.packing) {
            Kernels.table.pack_panels(
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

    /// All of it by the calling thread.
    public func pack() {
        for piece in pieces { pack(piece) }
    }

    /// The part of the source that is a factor of this depth with so many columns.
    func used(depth: Int, columns: Int) -> MatrixView {
        orientation == .plain
            ? source.rows(0..<depth).columns(0..<columns) : source.rows(0..<columns).columns(0..<depth)
    }
}
