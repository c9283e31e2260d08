import Platform

@testable import Preparation

extension Corpus {
    /// A corpus of paths in UTF-8.
    init(inputs: [String], format: CorpusFormat = CorpusFormat(), hasShare: Bool = false) throws {
        try self.init(inputs: inputs.map { FilePath($0) }, format: format, hasShare: hasShare)
    }

    /// The documents of a corpus: what they were read from, and their texts, their pieces put together again.
    func documents() throws -> [(origin: String, text: [UInt8])] {
        let reader = reader { $0.count }
        var documents: [(origin: String, text: [UInt8])] = []
        while let batch = try reader.next() {
            for piece in batch.pieces {
                if piece.startsDocument { documents.append((piece.origin, [])) }
                documents[documents.count - 1].text += batch.bytes[piece.range]
            }
        }
        return documents
    }
}
