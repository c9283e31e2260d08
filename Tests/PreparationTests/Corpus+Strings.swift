import Platform

@testable import Preparation

extension Corpus {
    /// Creates a corpus from paths as strings.
    init(inputs: [String], format: CorpusFormat = CorpusFormat(), hasShare: Bool = false) throws {
        try self.init(inputs: inputs.map { FilePath($0) }, format: format, hasShare: hasShare)
    }

    /// Reads all documents and joins their pieces. Returns the name of each document's file or member, and its text.
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
