/// Splits a single text at a position: the text before it is for training, the rest for validation.
struct PositionSplit {
    /// The share of the text for training, as in nanoGPT.
    static let trainShare = 0.9

    /// The unit of positions. nanoGPT counts characters with every tokenizer.
    enum Unit: Sendable {
        case characters, bytes

        /// Returns the number of units in a text. Counts characters by their first bytes, which also works if some
        /// bytes are not UTF-8.
        func count(_ text: UnsafeRawBufferPointer) -> Int {
            guard self == .characters else { return text.count }
            var count = 0
            for byte in text where byte & 0xC0 != 0x80 { count += 1 }
            return count
        }

        /// Returns the offset of the first byte of unit `index`.
        func offset(of index: Int, in text: UnsafeRawBufferPointer) -> Int {
            guard self == .characters else { return index }
            var rest = index
            for (offset, byte) in text.enumerated() where byte & 0xC0 != 0x80 {
                if rest == 0 { return offset }
                rest -= 1
            }
            return text.count
        }
    }

    let unit: Unit
    /// The number of units for training.
    let trainCount: Int
    private var counted = 0

    init(unit: Unit, total: Int) {
        self.unit = unit
        trainCount = Int(Double(total) * Self.trainShare)
    }

    /// Assigns each piece to a split, and cuts the piece that contains the position.
    mutating func assign(_ batch: TextBatch) -> TextBatch {
        var assigned = batch
        assigned.pieces.removeAll(keepingCapacity: true)
        batch.bytes.withUnsafeBytes { bytes in
            for piece in batch.pieces {
                var piece = piece
                let text = UnsafeRawBufferPointer(rebasing: bytes[piece.range])
                let before = counted
                counted += unit.count(text)
                piece.split = before < trainCount ? .train : .validation
                guard before < trainCount, counted > trainCount else {
                    assigned.pieces.append(piece)
                    continue
                }
                let cut = unit.offset(of: trainCount - before, in: text)
                var (first, second) = (piece, piece)
                first.range = piece.range.lowerBound..<piece.range.lowerBound + cut
                second.range = first.range.upperBound..<piece.range.upperBound
                second.split = .validation
                second.offset += cut
                assigned.pieces += [first, second]
            }
        }
        return assigned
    }
}
