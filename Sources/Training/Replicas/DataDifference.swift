import Collectives
import Datasets
import Formats

/// The first block in which copies of the data differ, in words.
struct DataDifference {
    let members: [Member]
    /// Of each rank, for all blocks.
    let hashes: [[UInt32]]
    /// The first one that differs.
    let block: Int
    /// The name of its file.
    let file: String
    /// All that were compared.
    let blocks: [DataBlocks.Block]
    /// Whether the file of each rank is the one that dataset.json describes; nil where that was not looked at.
    let matchesRecord: [Bool]?

    /// `rank 1 (b) has other bytes in mine/train.bin than rank 0 (a), first at bytes 4096–8191 (1 of 9 compared blocks
    /// differs); …`
    var text: String {
        let others = members.indices.filter { hashes[$0][block] != hashes[0][block] }
        let count = blocks.indices.filter { index in hashes.contains { $0[index] != hashes[0][index] } }.count
        return """
            \(names(others)) \(others.count == 1 ? "has" : "have") other bytes in \(file) than \(members[0]), first at \
            \(place(block)) (\(count) of \(blocks.count) compared blocks \(count == 1 ? "differs" : "differ"))\
            \(zeros(others[0]) ?? hint(others)); copy the file again
            """
    }

    private func place(_ block: Int) -> String {
        "bytes \(blocks[block].range.lowerBound)–\(blocks[block].range.upperBound - 1)"
    }

    private func names(_ ranks: [Int]) -> String {
        let shown = ranks.prefix(3).map { "\(members[$0])" }.joined(separator: ", ")
        return ranks.count > 3 ? "\(shown) and \(ranks.count - 3) more" : shown
    }

    /// Zeros are what a copy leaves that was cut short: which of the two has them.
    private func zeros(_ other: Int) -> String? {
        let (file, length) = (blocks[block].file, blocks[block].range.count)
        let zeros = [UInt8](repeating: 0, count: length).withUnsafeBytes { Checksum.crc32c(of: $0) }
        for index in blocks.indices
        where blocks[index].file == file && blocks[index].range.count == length
            && hashes[0][index] != hashes[other][index]
        {
            guard let rank = [0, other].first(where: { hashes[$0][index] == zeros }) else { continue }
            return "; \(members[rank]) has only zeros at \(place(index)), as after a copy that was cut short"
        }
        return nil
    }

    /// Whose copy is likely the right one.
    private func hint(_ others: [Int]) -> String {
        if let matchesRecord {
            let right = members.indices.filter { matchesRecord[$0] }
            guard !right.isEmpty else { return "; none of them is the file that `ddp-train prepare` wrote" }
            return "; \(names(right)) \(right.count == 1 ? "has" : "have") the file that `ddp-train prepare` wrote"
        }
        guard members.count > 2 else { return "" }
        let agreeing = members.indices.dropFirst().filter { hashes[$0] == hashes[0] }
        guard agreeing.isEmpty else {
            return "; \(names(agreeing)) \(agreeing.count == 1 ? "agrees" : "agree") with \(members[0])"
        }
        let isAlone = others.count == members.count - 1 && others.allSatisfy { hashes[$0] == hashes[others[0]] }
        return isAlone
            ? "; the others agree with each other, so that the copy of \(members[0]) may be the wrong one" : ""
    }
}
