/// One text cut in two: what comes before a position is for training, the rest for validation.
struct PositionSplit {
    /// Share of the text, from its start, that is trained on: nanoGPT's.
    static let trainShare = 0.9

    /// What positions count. nanoGPT counts characters, whatever the tokenizer.
    enum Unit: Sendable {
        case characters, bytes

        /// Characters are counted by their first bytes, so that bytes which are not UTF-8 do no harm.
        func count(_ text: UnsafeRawBufferPointer) -> Int {
            guard self == .characters else { return text.count }
            var count = 0
            for byte in text where byte & 0xC0 != 0x80 { count += 1 }
            return count
        }

        /// The byte that unit `index` begins with.
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
    /// Units that are for training.
    let trainCount: Int
    private var counted = 0

    init(unit: Unit, total: Int) {
        self.unit = unit
        trainCount = Int(Double(total) * Self.trainShare)
    }

    /// Gives each piece its split, and cuts the one that belongs to both.
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
